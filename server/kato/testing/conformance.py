r"""Checks a reader against the contract, with a log of its format.

    check_reader(ASSISTANT, SAMPLE, typed=["Hello\n::capture note.md", "And now?"])

Rules, each of which is checked under the name in brackets:

- [whole] The log gives valid events with unique ids, in the right session, without problems. Its messages of the user are the
  words that the user typed.
- [pieces] The same bytes give the same events and facts about the session (`Reader.info`), however they are cut.
- [truncated] A log that is cut off and goes on later gives the same events, each once.
- [again] A log that is read again gives the same events and facts: no token is counted twice.
- [copied] Lines that were copied give events with the ids of the first ones, which the journal drops.
- [commands] A command runs only where the user typed it.
- [any JSON], [any bytes] Nothing in a log makes the reader raise, or give an event that is not valid.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import msgspec
from msgspec import to_builtins

from kato.assistants.contract import Assistant, LogFile, Problem, Reader, SessionInfo, Surroundings
from kato.core.events import ConversationEvent, UserMessage, decode_line, encode_line
from kato.testing import damage
from kato.testing.reading import commands_of, read

_PLACE: Final = Surroundings({}, "/home/user", "linux", ("/work",))
_SHOWN_CHARS_MAX: Final = 300
_T = TypeVar("_T")


def check_reader(
    assistant: Assistant,
    log: bytes | str | os.PathLike[str],
    *,
    typed: Sequence[str],
    file: LogFile | None = None,
    companions: Mapping[str, bytes] | None = None,
    surroundings: Surroundings = _PLACE,
    has_record_ids: bool = True,
) -> None:
    """Checks that an assistant's reader keeps the contract on a log: its bytes, or the path of a file.

    `typed` are the user's messages in the log, in their order and with their commands. `file` is what `Assistant.match` says
    of the log's path; without it, the name of the file is the session's id (`s`, for bytes). `companions` are the files that are
    read with it. `has_record_ids` is false for a format whose records have no ids: a line that was copied cannot be recognised.

    Raises AssertionError that names the assistant, the rule, what was done to the log, and what was wrong.
    """
    name = "s" if isinstance(log, bytes) else Path(log).name.partition(".")[0]
    data = log if isinstance(log, bytes) else Path(log).read_bytes()
    check = _Check(assistant, data, typed, file or LogFile(name), companions or {}, surroundings)
    check.whole()
    check.pieces()
    check.truncated()
    check.again()
    if has_record_ids and not check.file.rewritten:
        check.copied()
    check.commands()
    check.hostile()


class _Check:
    """One log and what its reader should make of it."""

    def __init__(
        self,
        assistant: Assistant,
        data: bytes,
        typed: Sequence[str],
        file: LogFile,
        companions: Mapping[str, bytes],
        surroundings: Surroundings,
    ) -> None:
        self._assistant = assistant
        self._data = data
        self._typed = list(typed)
        self.file = file
        self._companions = companions
        self._surroundings = surroundings
        reader = self._open()
        self._events, self._problems = self._read("whole", "the whole log", [data], reader)
        self._info = self._facts("whole", "the whole log", reader)

    def whole(self) -> None:
        """One reading, from the beginning to the end."""
        where = "the whole log"
        self._equal("whole", where, "problems", self._problems, [])
        self._valid("whole", where, self._events)
        ids = _ids(self._events)
        twice = sorted({one for one in ids if ids.count(one) > 1})
        self._equal("whole", where, "ids that occur more than once", twice, [])
        said = [event.content for event in self._events if isinstance(event, UserMessage)]
        self._equal("whole", where, "messages of the user", said, self._typed)

    def pieces(self) -> None:
        """The log in pieces of any size."""
        expected = _lines(self._events)
        for way, pieces in damage.cuts(self._data):
            reader = self._open()
            events, problems = self._read("pieces", way, pieces, reader)
            self._equal("pieces", way, "events", _lines(events), expected)
            self._equal("pieces", way, "problems", problems, [])
            self._equal("pieces", way, "facts", self._facts("pieces", way, reader), self._info)

    def truncated(self) -> None:
        """The log with a pause, after which the rest comes; or the whole, where the file is replaced."""
        expected = set(_ids(self._events))
        for offset in damage.offsets(self._data):
            where = f"a pause at byte {offset}"
            first, rest = self._data[:offset], self._data[offset:]
            reader = self._open()
            before, problems = self._read("truncated", where, [first], reader)
            if self.file.rewritten:
                reader.restart()
                problems, rest = [], self._data
            after, more = self._read("truncated", where, [rest], reader)
            self._equal("truncated", where, "problems", [*problems, *more], [])
            ids = _ids([*before, *after])
            self._equal("truncated", where, "ids", sorted(set(ids)), sorted(expected))
            if not self.file.rewritten:
                self._equal("truncated", where, "ids that occur more than once", len(ids) - len(set(ids)), 0)

    def again(self) -> None:
        """The log a second time, by the same reader."""
        reader = self._open()
        self._read("again", "the first time", [self._data], reader)
        reader.restart()
        events, _ = self._read("again", "the second time", [self._data], reader)
        expected = _lines(self._events)
        if self.file.rewritten:  # a reader of documents may give only what is new
            expected = [line for line in expected if line in set(_lines(events))]
        self._equal("again", "the second time", "events", _lines(events), expected)
        info = self._facts("again", "the second time", reader)
        self._equal("again", "the second time", "facts", info, self._info)

    def copied(self) -> None:
        """The log with lines that were copied."""
        for way, data in damage.copies(self._data):
            events, _ = self._read("copied", way, [data])
            self._equal("copied", way, "ids", sorted(set(_ids(events))), sorted(_ids(self._events)))

    def commands(self) -> None:
        """The log with commands in texts that the user did not type."""
        for way, data in damage.with_commands(self._data, self._typed):
            events, _ = self._read("commands", way, [data])
            for event in events:
                if (
                    isinstance(event, UserMessage)
                    and event.content not in self._typed
                    and "stop" in commands_of(event)
                ):
                    self._fail("commands", way, f"a command runs that was not typed, in {event.content!r}")

    def hostile(self) -> None:
        """The log with values of other types, and bytes that are not a log."""
        for rule, damaged in (("any JSON", damage.other_values), ("any bytes", damage.hostile_bytes)):
            for way, data in damaged(self._data):
                reader = self._open()
                events, _ = self._read(rule, way, [data], reader)
                self._valid(rule, way, events)
                self._facts(rule, way, reader)

    # --- What the rules share ---------------------------------------------------------------------------

    def _open(self) -> Reader:
        return self._guarded(
            "whole",
            "a new reader",
            lambda: self._assistant.reader(self.file, self._companions, self._surroundings),
        )

    def _read(
        self, rule: str, where: str, pieces: Iterable[bytes], reader: Reader | None = None
    ) -> tuple[list[ConversationEvent], list[Problem]]:
        opened = self._open() if reader is None else reader
        return self._guarded(rule, where, lambda: read(opened, pieces))

    def _guarded(self, rule: str, where: str, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except Exception as error:
            problem = f"raises {type(error).__name__}: {error}"
            raise AssertionError(self._message(rule, where, problem)) from error

    def _facts(self, rule: str, where: str, reader: Reader) -> SessionInfo:
        """What the reader says about the session, each value of its type."""
        return self._guarded(rule, where, lambda: msgspec.convert(to_builtins(reader.info), SessionInfo))

    def _valid(self, rule: str, where: str, events: Sequence[ConversationEvent]) -> None:
        sessions = {self.file.session_id}
        for event in events:
            line = self._guarded(rule, where, lambda: encode_line(event))  # noqa: B023 - called immediately
            if self._guarded(rule, where, lambda: decode_line(line)) != event:  # noqa: B023
                self._fail(rule, where, f"an event that cannot be stored: {_shown(line)}")
            if event.provider != self._assistant.name:
                self._fail(rule, where, f"an event of the provider {event.provider!r}")
            if rule == "whole" and self.file.parent_id is None and event.session_id not in sessions:
                self._fail(rule, where, f"an event of the session {event.session_id!r}")

    def _equal(self, rule: str, where: str, what: str, got: object, expected: object) -> None:
        if got != expected:
            self._fail(rule, where, f"{what}: expected {_shown(expected)}, got {_shown(got)}")

    def _fail(self, rule: str, where: str, problem: str) -> NoReturn:
        raise AssertionError(self._message(rule, where, problem))

    def _message(self, rule: str, where: str, problem: str) -> str:
        return f"{self._assistant.name} [{rule}] {where}: {problem}"


def _ids(events: Iterable[ConversationEvent]) -> list[str]:
    return [event.event_id for event in events]


def _lines(events: Iterable[ConversationEvent]) -> list[bytes]:
    return [encode_line(event) for event in events]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS_MAX else f"{text[:_SHOWN_CHARS_MAX]}…"
