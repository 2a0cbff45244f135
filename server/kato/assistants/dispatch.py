"""From the kind of a record to the function that reads it. No kind passes unseen: there is always a default that counts."""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from kato.assistants.unknown import name_of

_R = TypeVar("_R")
_P = ParamSpec("_P")
_NEVER: Final = re.compile(r"(?!)")


class Dispatch(Generic[_R, _P]):
    """Hands each record to the function for its kind.

    The functions are methods of the reader, in a table behind its class, so that the table documents the format:

        _RECORDS: Final = Dispatch(
            {"user": ExampleReader._user, "assistant": ExampleReader._reply},
            ignored=["ping", "debug-*"],
            default=ExampleReader.emit_unknown,
        )

    The reader calls `_RECORDS.take(self, kind, record, record_id, at)`. Each function gets what stands behind the kind.

    `ignored` lists the kinds that hold nothing of the conversation; `*` stands for any characters. `default` is called for
    all others, with the kind's name in front of the rest: `BaseReader.emit_unknown` keeps the record and counts it,
    `BaseReader.count_unknown` (for attachments and bookkeeping, which may be long) counts it only. `label` says what kind of
    thing the table is for, unless it is a record: with `label="item"`, an unknown kind is counted as `item NAME`.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[Concatenate[_R, _P], None]],
        *,
        default: Callable[Concatenate[Any, str, _P], None],  # a method of the reader, or of its base
        ignored: Iterable[str] = (),
        label: str = "",
    ) -> None:
        ignored = list(ignored)
        patterns = [kind for kind in ignored if "*" in kind]
        self._functions = functions
        self._default = default
        self._ignored = frozenset(ignored).difference(patterns)
        self._patterns = re.compile("|".join(map(translate, patterns))) if patterns else _NEVER
        self._label = label

    def take(self, reader: _R, kind: str | None, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Calls the function for this kind, or the default; nothing for an ignored kind."""
        function = self._functions.get(kind or "")
        if function is not None:
            function(reader, *args, **kwargs)
        elif not self.ignores(kind):
            self._default(reader, self.name(kind), *args, **kwargs)

    def knows(self, kind: str | None) -> bool:
        """Whether there is a function for this kind, or it is ignored."""
        return (kind or "") in self._functions or self.ignores(kind)

    def ignores(self, kind: str | None) -> bool:
        """Whether a kind holds nothing of the conversation."""
        return kind is not None and (kind in self._ignored or self._patterns.match(kind) is not None)

    def name(self, kind: str | None) -> str:
        """The name under which an unknown kind is counted."""
        if not kind:
            return f"{_article(self._label or 'record')} without a type"
        return f"{self._label} {name_of(kind)}".lstrip()


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
