"""What must be true at the end of a soak."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from expected import FromEditor, Message, Outcome, Place, World, difference, lines_of, notes_differ, worlds
from kato.storage.journal import Journal
from peer import DEFECTS, Json, Refused
from soak.actors import OLD_SESSIONS, without_edits
from soak.conversations import Book, Conversation
from soak.windows import MEMORY_BYTES_MAX, MORE_DESCRIPTORS_MAX, THREADS_MAX, Window

#: After the load: logs are read to their ends, commands that waited have run, notes are up to date.
SETTLE_SECONDS: Final = 60.0
_PAGE: Final = 100


class Checks:
    """The oracles, on windows that still run."""

    def __init__(self, book: Book, windows: Sequence[Window], state: Path, folder: Path) -> None:
        self.book = book
        self.windows = windows
        self.state = state
        self.folder = folder

    def problems(self) -> list[str]:
        """What is still wrong when everything had time to settle."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            found = [
                one for conversation in self.book.conversations for one in self._conversation(conversation)
            ]
            found += self._files()
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    # --- Conversations ----------------------------------------------------------------------------------

    def _conversation(self, conversation: Conversation) -> Iterator[str]:
        """Its events, its commands, its notes, its recording."""
        if conversation.is_cleaned:
            items: Sequence[Message | FromEditor] = conversation.items
        else:
            events = self._events(conversation)
            wanted = conversation.messages
            if wrong := _events_difference(wanted, events, by_id=conversation.has_own_ids):
                yield f"{conversation.name}: {wrong}"
                return  # what follows from it would be wrong as well
            items = _with_ids(conversation.items, events)
        reported = self.book.reported(conversation)
        known = {place: some[0] for place, some in reported.items()}
        states = worlds(items, self.folder, known)
        yield from self._outcomes(conversation, states, reported)
        recording = None if conversation.is_cleaned else self._recording(conversation)
        candidates = []
        for state in states:
            wrongs = list(notes_differ(state, without_edits))
            if not conversation.is_cleaned and state.recording != recording:
                wrongs.append(f"recording to {recording}, not to {state.recording}")
            candidates.append(wrongs)
        for wrong in min(candidates, key=len):
            yield f"{conversation.name}: {wrong}"

    def _events(self, conversation: Conversation) -> list[Json]:
        """All events, page by page."""
        events: list[Json] = []
        after: int | None = 0
        while after is not None:
            params = conversation.key | {"after": after, "limit": _PAGE}
            try:
                page = self.windows[0].request("kato/readSession", params)
            except Refused:  # a session that is not known
                return events
            events += page["events"]
            after = page["nextAfter"]
        return events

    def _recording(self, conversation: Conversation) -> str | None:
        for one in self.windows[-1].request("kato/status", {"includeStale": True})["sessions"]:
            if (one["provider"], one["sessionId"]) == (conversation.provider, conversation.session_id):
                recording = one.get("recording", {})
                return recording["outputPath"] if recording.get("active") else None
        return None

    def _outcomes(
        self, conversation: Conversation, states: Sequence[World], reported: Mapping[Place, Sequence[Outcome]]
    ) -> Iterator[str]:
        """At most one outcome each, the one that the rules give; none only where a server was killed before it reported."""
        for place in states[0].predicted:
            some = reported.get(place, ())
            if len(some) > 1:
                yield f"{conversation.name}: {place} has {len(some)} outcomes: {some}"
            if not some and not self.book.deaths:
                yield f"{conversation.name}: {place} has no outcome"
            allowed = {state.predicted[place] for state in states} | {"error"}
            if self.book.deaths and "ok" in allowed:
                allowed.add("noop")  # it had run, and was killed before it was marked as run
            if some and some[0].status not in allowed:
                yield f"{conversation.name}: {place} gave {some[0].status}, not {sorted(allowed)}"

    # --- Files, processes -------------------------------------------------------------------------------

    def _files(self) -> Iterator[str]:
        """The user's lines are in their notes or in copies; no temporary file is left."""
        backups = [lines_of(path.read_text(encoding="utf-8")) for path in (self.state / "backups").iterdir()]
        kept = {line for lines in backups for line in lines}
        for edit in self.book.edits:
            if edit.line not in kept and edit.line not in lines_of(edit.path.read_text(encoding="utf-8")):
                yield f"{edit.path.name} lost {edit.line!r}"
        for path in (*self.state.rglob("*"), *self.folder.rglob("*")):
            if path.suffix == ".tmp":
                yield f"left over: {path.name}"

    def resources(self) -> Iterator[str]:
        """What living servers hold, and the memory of all that ever lived."""
        for window in self.windows:
            now, first = window.look(), window.first
            if now is None or first is None:
                yield f"window {window.name} is not there"
                continue
            if now.descriptors > first.descriptors + MORE_DESCRIPTORS_MAX:
                yield f"window {window.name} holds {now.descriptors} descriptors, {first.descriptors} at its start"
            if now.threads > THREADS_MAX:
                yield f"window {window.name} has {now.threads} threads"
            if window.peak_bytes > MEMORY_BYTES_MAX:
                yield f"window {window.name} took {window.peak_bytes >> 20} MiB of {MEMORY_BYTES_MAX >> 20}"

    def ended(self, environment: Mapping[str, str]) -> Iterator[str]:
        """When the windows are closed: their ends, the journal, processes that are left."""
        for window in self.windows:
            for life in window.lives:
                for method in life.answered_again():
                    yield f"window {window.name}: {method} was answered more than once"
            text = window.stderr.read_text(encoding="utf-8", errors="replace")
            for mark in DEFECTS:
                if mark in text:
                    yield f"window {window.name}: {mark} in its log: {_around(text, mark)}"
        command = [sys.executable, "-m", "kato", "journal", "check", "--state-dir", str(self.state)]
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"kato journal check: {done.stdout.strip()[-500:]}"
        journal = Journal.open(self.state, now_ms=lambda: 0)
        yield from (f"unfinished: {claim.event_id}:{claim.line}" for claim in journal.unfinished_claims())
        names = [
            record.key.session_id for record, _ in journal.status_sessions(since_ms=None, limit=1_000_000)
        ]
        yield from (f"{name} was not cleaned" for name in names if name.startswith(OLD_SESSIONS))
        journal.close()
        yield from self._left_over(environment)

    def _left_over(self, environment: Mapping[str, str]) -> Iterator[str]:
        """Servers that still run or were not reaped, and whatever they started."""
        for window in self.windows:
            yield from (f"left over: {one.process.pid}" for one in window.lives if one.process.poll() is None)
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # it ended, or it is another user's
                if process.environ().get("KATO_CONFIG") == environment["KATO_CONFIG"]:
                    yield f"left over: process {process.pid}, {process.name()}"


def _events_difference(wanted: Sequence[Message], events: Sequence[Json], *, by_id: bool) -> str:
    """What is wrong with a session's events, in a sentence; "" if nothing is."""
    identity: Callable[[Message], Any] = (lambda one: one.id) if by_id else (lambda one: one.text)
    names = [event["eventId"] if by_id else event["content"] for event in events]
    wrong = difference([identity(one) for one in wanted], names)
    if not wrong and [one.text for one in wanted] != [event["content"] for event in events]:
        wrong = "an event's text has changed"
    return f"events: {wrong}" if wrong else ""


def _with_ids(items: Sequence[Message | FromEditor], events: Sequence[Json]) -> list[Message | FromEditor]:
    """The conversation with the ids that Kato gave its messages."""
    ids = iter(event["eventId"] for event in events)
    return [item._replace(id=next(ids)) if isinstance(item, Message) else item for item in items]


def _around(text: str, mark: str) -> str:
    start = text.index(mark)
    return text[max(0, start - 200) : start + 300]
