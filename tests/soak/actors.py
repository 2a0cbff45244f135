"""The actors of a soak: threads, each with its own random numbers. A thread that is asked to stop finishes its work, so that
everything that was said is acknowledged in the end.
"""

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from builders import Json, event, request
from expected import FromEditor, Message, lines_of
from kato.core.events import SessionKey
from kato.core.lines import Lines
from kato.core.records import SessionMeta
from kato.storage.journal import FILE_NAME, Journal
from logs import ClaudeLog, CodexLog, now
from peer import Gone, Refused
from soak.conversations import Book, Conversation, Edit
from soak.texts import Commands, Texts, message
from soak.windows import SIGNALS, Window

DAY_MS: Final = 86_400_000
#: A conversation gives way to the next one after so many messages.
_MESSAGES_MAX: Final = 250
#: What cannot be done for so long will never be: something hangs.
_PATIENCE_SECONDS: Final = 120.0


class Stuck(AssertionError):
    """Something that must come in the end did not."""


class Actor(threading.Thread):
    """Acts until `stop`, then finishes."""

    def __init__(self, name: str, chance: random.Random, book: Book, windows: Sequence[Window]) -> None:
        super().__init__(name=name, daemon=True)
        self.chance = chance
        self.book = book
        self.windows = windows
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Asks it to come to an end."""
        self._stop_asked.set()

    @property
    def is_stopping(self) -> bool:
        return self._stop_asked.is_set()

    def pause(self, low: float, high: float) -> None:
        """Waits a while, or until it is asked to stop."""
        self._stop_asked.wait(self.chance.uniform(low, high))

    def run(self) -> None:
        try:
            while not self.is_stopping:
                self.act()
            self.finish()
        except Exception as error:  # noqa: BLE001 - a thread's end is a finding, whatever it is
            self.book.wrong(f"{self.name} ended with {type(error).__name__}: {error}")

    def act(self) -> None:
        """One thing."""
        raise NotImplementedError

    def finish(self) -> None:
        """What is left to do."""

    # --- What several do --------------------------------------------------------------------------------

    def ask(self, method: str, params: Any) -> Any:
        """Asks one of the windows, again and again until there is a result."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                return self.chance.choice(self.windows).request(method, params)
            except Gone:
                self.book.count("requests: the server was gone")
            except Refused:
                self.book.count("requests: refused")
            time.sleep(self.chance.uniform(0.01, 0.1))
        raise Stuck(f"{method} had no result for {_PATIENCE_SECONDS} s")

    def push(self, conversation: Conversation, messages: Sequence[Message]) -> None:
        """Sends messages until they are acknowledged."""
        events = [pushed(conversation, one) for one in messages]
        answer = self.ask("kato/appendEvents", request(events, cwd=str(conversation.folder)))
        if answer["accepted"] + answer["duplicates"] != len(events):
            self.book.wrong(f"{conversation.name}: {len(events)} events were answered with {answer}")
        self.book.count("events acknowledged", len(events))
        self.book.count("batches acknowledged")

    def notify(self, conversation: Conversation, messages: Sequence[Message]) -> None:
        """Sends them as a notification, which has no answer."""
        peer = self.chance.choice(self.windows).peer
        if peer is not None:
            events = [pushed(conversation, one) for one in messages]
            with suppress(Gone):
                peer.notify("kato/events", request(events, cwd=str(conversation.folder)))
            self.book.count("batches notified")


def pushed(conversation: Conversation, said: Message) -> Json:
    """A message as an event."""
    fields = {"provider": conversation.provider, "sessionId": conversation.session_id, "eventId": said.id}
    kind, role = ("message.user", "user") if said.by_user else ("message.assistant", "assistant")
    return event(kind, 0, role=role, content=said.text, timestamp=now(), **fields)


class Feeder(Actor):
    """An assistant's extension that pushes events, to whichever window."""

    serial = 0

    def __init__(self, folder: Path, *args: Any) -> None:
        super().__init__(*args)
        self.folder = folder
        self.conversation = self._next()

    def _next(self) -> Conversation:
        self.serial += 1
        name = f"{self.name}{self.serial}"
        self.texts, self.commands = Texts(self.chance, name), Commands(self.chance, name)
        return self.book.begin(Conversation(name, "pushed", f"session-{name}", self.folder))

    def act(self) -> None:
        size = self.chance.choice([1, 1, 2, 2, 5, 20, 100])
        said = [self._say() for _ in range(size)]
        if self.chance.random() < 0.1:
            self.notify(self.conversation, said)
        self.push(self.conversation, said)
        if self.commands.notes and self.chance.random() < 0.15:
            self._command()
        if len(self.conversation.items) > _MESSAGES_MAX:
            self.conversation = self._next()
        self.pause(0, 0.15)

    def _say(self) -> Message:
        by_user = self.chance.random() < 0.4
        if by_user and self.chance.random() < 0.15:
            commands = self.commands.lines()
            self.book.count("commands typed", len(commands))
            return self.conversation.say(message(self.texts, commands), by_user=True)
        return self.conversation.say(self.texts.said(), by_user=by_user)

    def _command(self) -> None:
        """A command of the editor, given when all that was typed before has run (another window may be at it). One whose answer
        was lost is given again: nothing was said in between.
        """
        self._wait_for_typed_commands()
        name = self.chance.choice(["capture", "record", "stop", "export", "init"])
        path = None
        if name in ("capture", "init"):
            self.commands.notes += 1
            path = f"{self.conversation.name}-{self.commands.notes}.md"
        if name == "export":
            self.commands.exports += 1
            path = f"{self.conversation.name}-x{self.commands.exports}.md"
        argument = self.conversation.key | ({} if path is None else {"path": path})
        answer = self.ask("workspace/executeCommand", {"command": f"kato.{name}", "arguments": [argument]})
        self.conversation.items.append(FromEditor(name, path, answer["status"] == "error"))
        self.book.count("commands of the editor")

    def _wait_for_typed_commands(self) -> None:
        journal = Journal.open(self.windows[0].state, now_ms=lambda: 0)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        key = SessionKey(self.conversation.provider, self.conversation.session_id)
        while journal.unfinished_claims(key):
            if time.monotonic() > deadline:
                raise Stuck(f"the commands of {self.conversation.name} do not run")
            time.sleep(0.02)
        journal.close()


class Twins(Actor):
    """The same conversation, pushed by both windows at their own pace."""

    serial = 0

    def __init__(self, folder: Path, *args: Any) -> None:
        super().__init__(*args)
        self.folder = folder

    def act(self) -> None:
        self.serial += 1
        name = f"{self.name}{self.serial}"
        conversation = self.book.begin(Conversation(name, "pushed", f"session-{name}", self.folder))
        texts, commands = Texts(self.chance, name), Commands(self.chance, name)
        for number in range(self.chance.randint(30, 80)):
            typed = commands.lines() if number == 1 or self.chance.random() < 0.1 else []
            self.book.count("commands typed", len(typed))
            text = message(texts, typed) if typed else texts.said()
            conversation.say(text, by_user=bool(typed) or self.chance.random() < 0.3)
        seeds = [self.chance.random() for _ in self.windows]
        twins = [
            _Twin(conversation, f"{name}-{window.name}", random.Random(seed), self.book, [window])
            for seed, window in zip(seeds, self.windows, strict=True)
        ]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join()


class _Twin(Actor):
    def __init__(self, conversation: Conversation, *args: Any) -> None:
        super().__init__(*args)
        self.conversation = conversation
        self.at = 0

    @property
    def is_stopping(self) -> bool:
        return self.at >= len(self.conversation.items)

    def act(self) -> None:
        size = self.chance.choice([1, 1, 2, 5])
        messages = self.conversation.messages[self.at : self.at + size]
        self.push(self.conversation, messages)
        self.at += len(messages)
        time.sleep(self.chance.uniform(0, 0.1))


class LogWriter(Actor):
    """An assistant that writes a log, which both windows follow."""

    serial = 0

    def __init__(
        self, log_of: type[ClaudeLog] | type[CodexLog], home: Path, folder: Path, *args: Any
    ) -> None:
        super().__init__(*args)
        self.log_of = log_of
        self.home = home
        self.folder = folder
        self._next()

    def _next(self) -> None:
        self.serial += 1
        name = f"{self.name}{self.serial}"
        self.log = self.log_of(self.home, self.folder)
        provider = "claude" if isinstance(self.log, ClaudeLog) else "codex"
        self.texts, self.commands = Texts(self.chance, name), Commands(self.chance, name)
        self.conversation = self.book.begin(
            Conversation(name, provider, self.log.session, self.folder, has_own_ids=False)
        )
        self.is_known = False

    def act(self) -> None:
        if not self.is_known:
            self._begin()
        by_user = self.chance.random() < 0.3
        typed = self.commands.lines() if by_user and self.chance.random() < 0.3 else []
        self.book.count("commands typed", len(typed))
        text = message(self.texts, typed) if typed else self.texts.said()
        self._write(self._records(self.conversation.say(text, by_user=by_user)))
        if len(self.conversation.items) > _MESSAGES_MAX:
            self._next()
        self.pause(0, 0.3)

    def _begin(self) -> None:
        """What is there when a session is first seen is history: no command before a window knows it."""
        records = self._records(self.conversation.say(self.texts.said(), by_user=True))
        if isinstance(self.log, CodexLog):
            records = [*self.log.start, *records]
        self._write(records)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self.is_known:
            if time.monotonic() > deadline:
                raise Stuck(f"the log of {self.conversation.name} is not read")
            sessions = self.ask("kato/status", {"includeStale": True})["sessions"]
            self.is_known = any(one["sessionId"] == self.log.session for one in sessions)
            time.sleep(0.05)

    def _records(self, said: Message) -> list[Json]:
        made: list[Json] | Json = self.log.user(said.text) if said.by_user else self.log.text(said.text)
        return [made] if isinstance(made, dict) else made

    def _write(self, records: Sequence[Json]) -> None:
        """Appends lines as assistants do: in one write, or cut anywhere."""
        data = b"".join(orjson.dumps(one) + b"\n" for one in records)
        self.log.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.chance.randrange(len(data)) if self.chance.random() < 0.2 else len(data)
        with self.log.path.open("ab", buffering=0) as file:
            file.write(data[:cut])
            if cut < len(data):
                time.sleep(self.chance.uniform(0, 0.2))
                file.write(data[cut:])
        self.book.count("log lines written", len(records))


class User(Actor):
    """Edits notes while they are recorded: at their end, or anywhere in them."""

    def __init__(self, state: Path, folder: Path, *args: Any) -> None:
        super().__init__(*args)
        self.state = state
        self.folder = folder
        self.serial = 0

    def act(self) -> None:
        self.pause(0.1, 1)
        notes = [path for path in self.folder.glob("*.md") if "-x" not in path.name]
        if not notes:
            return
        path = self.chance.choice(sorted(notes))
        self.serial += 1
        line = f"{EDIT_MARK} {self.serial}"
        if self.chance.random() < 0.5:
            end = self.chance.choice(["\n", ""])
            with path.open("ab", buffering=0) as file:
                file.write(f"\n{line}{end}".encode())
        else:
            self._save(path, line)
        self.book.edits.append(Edit(path, line))
        self.book.count("edits of notes")

    def _save(self, path: Path, line: str) -> None:
        """Saves the whole note with one line more. An editor that reads while Kato writes would lose what Kato wrote, and
        nothing could help that: the journal's lock keeps Kato from writing meanwhile.
        """
        db = sqlite3.connect(self.state / FILE_NAME, timeout=_PATIENCE_SECONDS, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            head, mark, body = path.read_text(encoding="utf-8").partition("\n---\n")
            lines = body.split("\n")
            lines.insert(self.chance.randrange(len(lines)), line)
            text = head + mark + "\n".join(lines)
            if self.chance.random() < 0.5:
                fresh = path.with_name(f"{path.name}.saving")
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(path)
            else:
                path.write_text(text, encoding="utf-8")
        finally:
            db.close()


#: Begins each line that the user writes.
EDIT_MARK: Final = "✎ an edit of the user"


class Reader(Actor):
    """Asks for what a view shows, and compares it with what was said."""

    def act(self) -> None:
        self.pause(0, 0.4)
        kind = self.chance.random()
        if kind < 0.3:
            self.ask("kato/status", {"includeStale": self.chance.random() < 0.5})
        elif kind < 0.6:
            self.ask("kato/memory", None)
        else:
            self._read(self.chance.choice(self.book.conversations), render=kind > 0.9)
        self.book.count("requests that read")

    def _read(self, conversation: Conversation, *, render: bool) -> None:
        messages = conversation.messages
        if not messages or conversation.is_cleaned:
            return
        try:
            window = self.chance.choice(self.windows)
            if render:
                window.request("kato/renderSession", conversation.key)
                return
            after = self.chance.randrange(len(messages))
            page = window.request("kato/readSession", conversation.key | {"after": after, "limit": 50})
        except (Gone, Refused):
            return  # a session that is not known yet, or was cleaned meanwhile
        found = [one["content"] for one in page["events"]]
        wanted = [one.text for one in conversation.messages[after : after + len(found)]]
        if found != wanted and not conversation.is_cleaned:
            self.book.wrong(f"{conversation.name}: readSession after {after} gives something else")


class Cleaner(Actor):
    """Removes old conversations with `kato clean`; one of them goes on afterwards."""

    def __init__(self, state: Path, folder: Path, environment: Mapping[str, str], *args: Any) -> None:
        super().__init__(*args)
        self.state = state
        self.folder = folder
        self.environment = environment
        self.serial = 0
        self.rounds = 0
        self.returning: Conversation | None = None

    def act(self) -> None:
        self.pause(2, 6)
        if self.returning is None:
            self.serial += 1
            name = f"{self.name}{self.serial}"
            self.texts = Texts(self.chance, name)
            self.returning = self.book.begin(Conversation(name, "pushed", _RETURNING, self.folder))
        conversation, texts = self.returning, self.texts
        said = [conversation.say(texts.said(), by_user=True) for _ in range(self.chance.randint(1, 6))]
        self.push(conversation, said)
        if self.chance.random() < 0.7:
            commands = [f"::capture {texts.name}-1.md", "::stop"]
            self.push(conversation, [conversation.say(message(texts, commands), by_user=True)])
            self.book.count("commands typed", 2)
        self._make_old()
        if self._clean():
            conversation.is_cleaned = True
            self.returning = None

    def _make_old(self) -> None:
        """Some old conversations, and this one old: as if the window had been open over a holiday."""
        self.rounds += 1
        moment = time.time_ns() // 1_000_000 - 30 * DAY_MS
        journal = Journal.open(self.state, now_ms=lambda: moment)
        for number in range(_OLD):
            session_id = f"{OLD_SESSIONS}-{self.rounds}-{number}"
            conversation = Conversation(session_id, "pushed", session_id, self.folder)
            events = [pushed(conversation, conversation.say("old", by_user=True)) for _ in range(5)]
            ids, lines = [one["eventId"] for one in events], Lines.of(orjson.dumps(one) for one in events)
            journal.append(SessionKey("pushed", session_id), ids, lines, SessionMeta(moment))
        journal.commit()
        journal.close()
        with closing(sqlite3.connect(self.state / FILE_NAME, timeout=_PATIENCE_SECONDS)) as db, db:
            made_old = "UPDATE session SET updated_at = ?, last_message_at = ? WHERE session_id = ?"
            db.execute(made_old, (moment, moment, _RETURNING))

    def _clean(self) -> bool:
        """`kato clean`, again while the journal is held by another process. False if the conversation stays: it records."""
        command = [
            sys.executable,
            "-m",
            "kato",
            "clean",
            "--older-than",
            "7d",
            "--state-dir",
            str(self.state),
        ]
        for _ in range(10):
            done = subprocess.run(
                command, env=dict(self.environment), capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                self.book.count("runs of kato clean")
                stays = "1 older session kept" in done.stdout
                if f"{_OLD + (not stays)} sessions" not in done.stdout:
                    self.book.wrong(f"kato clean removed something else: {done.stdout.strip()[-200:]}")
                return not stays
        raise Stuck(f"kato clean: {done.stderr}")


#: The session that goes on after it was removed, how many others are removed with it, and how their names begin.
_RETURNING: Final = "session-returning"
_OLD: Final = 3
OLD_SESSIONS: Final = "old"


class Chaos(Actor):
    """Kills windows and opens them again, fills the disk, leaves unread what a server writes."""

    def act(self) -> None:
        self.pause(0.2, 2)
        window = self.chance.choice(self.windows)
        kind = self.chance.random()
        if kind < 0.1:
            self._kill(*self.windows)
        elif kind < 0.6:
            self._kill(window)
        elif kind < 0.8:
            self._fill_the_disk(window)
        else:
            self._stop_reading(window)

    def _kill(self, *windows: Window) -> None:
        number = self.chance.choice(SIGNALS)
        self.book.deaths.append(time.monotonic())
        for window in windows:
            code = window.end(number)
            self.book.count(f"windows ended by {signal.Signals(number).name}")
            if code != (-number if number == signal.SIGKILL else 128 + number):
                self.book.wrong(f"window {window.name} ended with {code} after {signal.Signals(number).name}")
        self.pause(0, 1)
        for window in windows:
            window.start()

    def _fill_the_disk(self, window: Window) -> None:
        wal = self.windows[0].state / f"{FILE_NAME}-wal"
        size = wal.stat().st_size if wal.exists() else 0
        window.limit_files(self.chance.choice([1, 4096, size, size + self.chance.randrange(65536)]) or 1)
        self.pause(0.2, 2)
        window.limit_files(None)
        self.book.count("times the disk was full")

    def _stop_reading(self, window: Window) -> None:
        peer = window.peer
        if peer is not None:
            peer.stop_reading()
            self.pause(0.2, 3)
            peer.go_on_reading()
        self.book.count("times a client did not read")

    def finish(self) -> None:
        """All windows are open, and there is space."""
        for window in self.windows:
            window.limit_files(None)


def without_edits(note: str) -> list[str]:
    """The conversation in a note, without what the user wrote into it."""
    return [line for line in lines_of(note) if not line.startswith(EDIT_MARK)]
