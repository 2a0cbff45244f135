"""The assistants that Kato knows: the built-in ones, and those that other packages add.

A package adds an assistant with an entry point of the group `kato.assistants`. Its name is the assistant's name, and it
refers to an `Assistant` (docs/adding-an-assistant.md). One that cannot be used is left out with a `Refusal`, which
`kato doctor` shows; the others work as before.

Rule: importing this module imports no plugin and does not search for any. `assistants()` does, the first time: the search
takes some milliseconds, which the start of the server must not wait for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from kato.assistants.claude import CLAUDE
from kato.assistants.codex import CODEX
from kato.assistants.contract import CONTRACT_VERSION, Assistant, LogFile, Surroundings
from kato.assistants.copilot import COPILOT
from kato.assistants.forks import FORKS
from kato.assistants.gemini import GEMINI
from kato.assistants.guard import guarded
from kato.core.actions import Action, Arguments, ReadArguments
from kato.core.errors import brief
from kato.core.text import nearest, printable
from kato.system.packages import may_declare

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The built-in assistants, in the order in which lists show them.
ASSISTANTS: Final[tuple[Assistant, ...]] = (CLAUDE, CODEX, GEMINI, COPILOT, *FORKS)
GROUP: Final = "kato.assistants"

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_TITLE_CHARS_MAX: Final = 40
_REASON_CHARS_MAX: Final = 200
_SAMPLE: Final = Surroundings({}, "/home/user", "linux", ("/work",))
_V = TypeVar("_V")


class Refusal(NamedTuple):
    """A plugin that is not used: its entry point's name, the package that it came with, and why."""

    name: str
    package: str
    reason: str


class Plugins(NamedTuple):
    """What the entry points gave."""

    assistants: tuple[Assistant, ...]
    refusals: tuple[Refusal, ...]


def assistants() -> tuple[Assistant, ...]:
    """All assistants: the built-in ones, then those of plugins. Searches for plugins when it is first called."""
    return ASSISTANTS + plugins().assistants


@cache
def plugins() -> Plugins:
    """The plugins that are installed, each loaded once in a process."""
    return load(_entry_points())


def tools(provider: str) -> Mapping[str, ReadArguments]:
    """What an assistant declares about its tools, as far as assistants are loaded: never searches for plugins."""
    return next((one.tools for one in _loaded() if one.name == provider), {})


def titles() -> dict[str, str]:
    """The name for people of each assistant by its name on the wire, as far as they are loaded: never searches for plugins."""
    return {assistant.name: assistant.title for assistant in _loaded()}


def titles_of(providers: Iterable[str]) -> dict[str, str]:
    """`titles`, of these assistants alone."""
    known = titles()
    return {one: known[one] for one in sorted(set(providers)) if one in known}


def _loaded() -> tuple[Assistant, ...]:
    return assistants() if plugins.cache_info().currsize else ASSISTANTS


def names() -> tuple[str, ...]:
    """The names of all assistants. A plugin counts before it is loaded, and also if it cannot be."""
    plugged = {point.name for point in _entry_points()}
    built_in = _names(ASSISTANTS)
    return (*built_in, *sorted(plugged.difference(built_in)))


def unknown_name(name: str) -> str | None:
    """The rule for the keys of `providerSessionRoots` that a name breaks; None for the name of an assistant."""
    if name in _names(ASSISTANTS):
        return None  # no search for plugins
    known = names()
    if name in known:
        return None
    near = nearest(name, known) or known[0]
    return f"a map whose keys are {', '.join(known)} ({brief(name)} is not one of them: did you mean {near}?)"


def load(points: "Iterable[EntryPoint]") -> Plugins:
    """The assistants of these entry points. One that raises, breaks the contract or takes a name that is taken is refused."""
    loaded: list[Assistant] = []
    refusals: list[Refusal] = []
    for point in points:
        found = _load(point, {*_names(ASSISTANTS), *_names(loaded)})
        if isinstance(found, Assistant):
            loaded.append(found)
        else:
            package = point.dist.name if point.dist is not None else point.module
            refusals.append(Refusal(printable(point.name), printable(package), found))
    return Plugins(tuple(loaded), tuple(refusals))


def _load(point: "EntryPoint", taken: set[str]) -> Assistant | str:
    """The assistant, or why it is refused."""
    if point.name in taken:
        return "another assistant has this name"
    try:
        found = point.load()
        fault = _fault(found, point.name)
    except Exception as error:  # noqa: BLE001 - whatever a plugin does, the others work
        return printable(f"{type(error).__name__}: {error}", chars_max=_REASON_CHARS_MAX)
    return fault or _guarded(found)


def _fault(found: Any, name: str) -> str | None:
    """The first rule of the contract that an object breaks."""
    if not isinstance(found, Assistant):
        return f"the entry point refers to {brief(type(found).__name__)}, not to a kato.assistants.contract.Assistant"
    return next((rule for rule, is_kept in _rules(found, name) if not is_kept()), None)


def _rules(found: Assistant, name: str) -> Iterator[tuple[str, Callable[[], bool]]]:
    title = found.title
    yield (
        f"contract must be {CONTRACT_VERSION}, the version that this Kato supports",
        lambda: found.contract == CONTRACT_VERSION,
    )
    yield "name must be the entry point's name", lambda: found.name == name
    yield f"name must match {_NAME.pattern}", lambda: _NAME.fullmatch(name) is not None
    yield (
        f"title must be a printable text of 1 to {_TITLE_CHARS_MAX} characters",
        lambda: isinstance(title, str) and 0 < len(title) <= _TITLE_CHARS_MAX and title.isprintable(),
    )
    yield "roots must return a list of paths", lambda: _is_list_of_texts(found.roots(_SAMPLE))
    yield "match must return a LogFile or None", lambda: isinstance(found.match(["\0"]), LogFile | None)
    yield "enter must return a boolean", lambda: isinstance(found.enter(["\0"]), bool)
    yield "reader must be a function", lambda: callable(found.reader)
    yield "tools must map names in lower case to functions", lambda: _is_table_of_tools(found.tools)
    yield "resume must be a function", lambda: callable(found.resume)


def _is_table_of_tools(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name == name.lower() and callable(read) for name, read in value.items()
    )


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _guarded(assistant: Assistant) -> Assistant:
    """A plugin whose functions raise nothing: a search finds nothing instead, a reader reports a problem."""
    return replace(
        assistant,
        roots=_or(assistant.roots, []),
        match=_or(assistant.match, None),
        enter=_or(assistant.enter, False),
        resume=_or_no_command(assistant.resume),
        reader=guarded(assistant.reader, assistant.name),
        tools={name: _action_or_none(read) for name, read in assistant.tools.items()},
    )


def _action_or_none(read: ReadArguments) -> ReadArguments:
    quiet = _or(read, None)

    def call(arguments: Arguments) -> Action | None:
        found = quiet(arguments)
        return found if isinstance(found, Action) else None

    return call


def _or_no_command(
    resume: Callable[[LogFile, str], Sequence[str] | None],
) -> Callable[[LogFile, str], Sequence[str] | None]:
    def call(log: LogFile, session_id: str) -> Sequence[str] | None:
        try:
            command = resume(log, session_id)
            return command if command and all(isinstance(word, str) for word in command) else None
        except Exception:  # noqa: BLE001 - as below
            return None

    return call


def _or(function: Callable[[Any], _V], otherwise: _V) -> Callable[[Any], _V]:
    def call(argument: Any) -> _V:
        try:
            return function(argument)
        except Exception:  # noqa: BLE001 - as above
            return otherwise

    return call


@cache
def _entry_points() -> "tuple[EntryPoint, ...]":
    if not may_declare(GROUP):
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - 10 ms

    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def _names(known: Iterable[Assistant]) -> tuple[str, ...]:
    return tuple(assistant.name for assistant in known)
