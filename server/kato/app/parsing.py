"""Reads a session log for a program that uses Kato as a library: which assistant wrote it, and what it holds.

    path ─► candidates: by the log's place, by its name, by the kind of file ─► the one that understands the content ─► events

Rule: reading needs no server and no journal, and changes nothing.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from kato.assistants import registry
from kato.assistants.contract import Assistant, LogFile, Problem, ReadResult, SessionInfo, Surroundings
from kato.core.errors import LogNotRecognized
from kato.core.events import ConversationEvent, ProviderInfo
from kato.logs import discovery
from kato.logs.discovery import PACKED, Found, Root
from kato.logs.tail import Tail

#: Different problems of one log that are counted. A log of another format can have as many as it has lines.
_PROBLEMS_MAX: Final = 1000
#: Pieces of a log (of 256 KiB) that are read to find out which assistant wrote it.
_SAMPLE_PIECES_MAX: Final = 4


class ParsedLog(Struct, frozen=True):
    """A log that was read to its end.

    `session` is what the log says about its session. `events` are in the log's order, each once; those of sub-agents whose
    events are in the same log have session ids of their own. `problems` counts what the reader did not understand.
    """

    assistant: Assistant
    session: SessionInfo
    events: list[ConversationEvent]
    problems: Mapping[Problem, int]


class LogEvents(Iterator[ConversationEvent]):
    """The events of a log, one at a time. `session` and `problems` grow with them, and are complete after the last event.

    The text of the log is read in pieces of 256 KiB. For each event a number is kept, to yield it once.
    """

    def __init__(self, found: Found, place: Surroundings) -> None:
        self.assistant = found.assistant
        self.problems: Counter[Problem] = Counter()
        self._tail = Tail(found, place)
        self._events = self._unique()

    @property
    def session(self) -> SessionInfo:
        """What is known about the session so far."""
        return self._tail.reader.info

    def __next__(self) -> ConversationEvent:
        """The next event. Raises OSError if the log can no longer be read."""
        return next(self._events)

    def _unique(self) -> Iterator[ConversationEvent]:
        seen: set[int] = set()
        for piece in pieces(self._tail):
            self._count(piece.problems)
            for event in piece.events:
                mark = hash((event.session_id, event.event_id))
                if mark not in seen:
                    seen.add(mark)
                    yield event

    def _count(self, problems: list[Problem]) -> None:
        for problem in problems:
            if problem in self.problems or len(self.problems) < _PROBLEMS_MAX:
                self.problems[problem] += 1


def all_assistants() -> tuple[Assistant, ...]:
    """The assistants that Kato knows: the built-in ones (`kato.ASSISTANTS`), then those of installed plugins."""
    return registry.assistants()


def parse_log(path: str | os.PathLike[str], assistant: str | Assistant | None = None) -> ParsedLog:
    """Reads the session log at `path` into memory.

    `assistant` is an assistant or its name, such as `"claude"`; without it, the file's place, name and content show whose log
    it is. Raises LogNotRecognized, OSError, and ValueError for an unknown name.

        log = kato.parse_log("session.jsonl")
        print(log.assistant.title, len(log.events))
    """
    log = iter_log(path, assistant)
    events = list(log)
    return ParsedLog(log.assistant, log.session, events, log.problems)


def iter_log(path: str | os.PathLike[str], assistant: str | Assistant | None = None) -> LogEvents:
    """Reads the session log at `path` an event at a time, however long it is. Arguments and errors are those of `parse_log`.

    for event in kato.iter_log("session.jsonl"):
        print(event.timestamp, type(event).__name__)
    """
    place = discovery.surroundings(os.environ)
    return LogEvents(find_log(path, assistant, place), place)


def find_log(path: str | os.PathLike[str], assistant: str | Assistant | None, place: Surroundings) -> Found:
    """The session log at `path`, with the assistant that wrote it. Arguments and errors are those of `parse_log`."""
    file = Path(path).absolute()
    file.stat()  # a missing file is an OSError
    known = _known(assistant)
    found = _found(file, known, place, is_named=assistant is not None)
    if found is None:
        titles = " or ".join(one.title for one in known)
        raise LogNotRecognized(f"{file} is not a session log of {titles}", str(file))
    return found


def _known(assistant: str | Assistant | None) -> tuple[Assistant, ...]:
    if isinstance(assistant, Assistant):
        return (assistant,)
    every = all_assistants()
    if assistant is None:
        return every
    named = tuple(one for one in every if one.name == assistant)
    if not named:
        names = ", ".join(one.name for one in every)
        raise ValueError(f"{assistant!r} is not the name of an assistant; known are {names}")
    return named


# --- Whose log it is -------------------------------------------------------------------------------------


class _Candidate(NamedTuple):
    found: Found
    is_certain: bool  # the file is in a folder of the assistant
    has_its_name: bool  # the path has the form of the assistant's logs


def _found(file: Path, known: tuple[Assistant, ...], place: Surroundings, *, is_named: bool) -> Found | None:
    """The log with the assistant that wrote it; None if no assistant understands it."""
    candidates = [one for assistant in known for one in _candidates(file, assistant, place)]
    certain = [one for one in candidates if one.is_certain or (is_named and one.has_its_name)]
    if certain:
        return certain[0].found
    ranks = [(_understood(one.found, place), one.has_its_name) for one in candidates]
    best = max(ranks, default=(0, False))
    return candidates[ranks.index(best)].found if best[0] > 0 else None


def _candidates(file: Path, assistant: Assistant, place: Surroundings) -> Iterator[_Candidate]:
    """The ways in which a file can be a log of this assistant, the most certain one first."""
    for root in assistant.roots(place):
        found = discovery.look(Root(assistant, os.path.normpath(root)), str(file))
        if found is not None:
            yield _Candidate(found, is_certain=True, has_its_name=True)
            return
    named = [discovery.look(Root(assistant, str(folder)), str(file)) for folder in reversed(file.parents)]
    for found in named:
        if found is not None:
            yield _Candidate(found, is_certain=False, has_its_name=True)
            return
    status = file.stat()
    plain = file.name.removesuffix(PACKED)
    is_document = plain.endswith(".json")
    log = LogFile(plain.rpartition(".")[0] or plain, rewritten=is_document)
    found = Found(assistant, str(file.parent), str(file), log, status.st_size, discovery.mtime_ns(status))
    yield _Candidate(found, is_certain=False, has_its_name=False)


def _understood(found: Found, place: Surroundings) -> int:
    """How many more events than problems the assistant's reader finds in the beginning of a log. Records of unknown kinds are
    problems, and the events that keep them do not count.
    """
    count = 0
    for number, piece in enumerate(pieces(Tail(found, place)), start=1):
        count += sum(not isinstance(event, ProviderInfo) for event in piece.events) - len(piece.problems)
        if number == _SAMPLE_PIECES_MAX:
            break
    return count


def pieces(tail: Tail) -> Iterator[ReadResult]:
    """What a log holds, to its end, a piece at a time, and at last what its reader held back. Raises OSError."""
    more = True
    while more:
        piece = tail.read()
        more = piece.more
        yield piece.result
    yield tail.settle(is_final=True)
