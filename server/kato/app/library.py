"""An engine inside another program: the journal, snapshots, commands and notes of Kato, without a server.

Rule: opening one changes nothing of its process: not the collector, the allocator, the loggers or the signals. Its memory
limit bounds the snapshots, not the process, whose other memory is not Kato's.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from kato.app import process
from kato.app.build import Assembly
from kato.assistants import registry
from kato.core import layers
from kato.core.commands import CommandName, command_from_editor
from kato.core.errors import UnknownSession
from kato.core.events import ConversationEvent, SessionKey, decode_line, encode_line
from kato.core.lines import Lines
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.core.ports import Listener
from kato.core.records import SessionRecord
from kato.core.views import ProcessMemory, StatusSnapshot
from kato.engine import AppendAnswer, AppendRequest, Engine
from kato.system.clock import now_ms

_SESSIONS_MAX = 1000


class Appended(NamedTuple):
    """The result of `OpenEngine.append`: how many events were new, how many the journal had, and what became of the commands
    in them.
    """

    accepted: int
    duplicates: int
    commands: Sequence[CommandOutcome]


class OpenEngine:
    """An engine that `open_engine` opened. Use it in one thread. `engine` has what the methods here leave out."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def append(
        self,
        events: Iterable[ConversationEvent],
        *,
        title: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        run_commands: bool = False,
    ) -> Appended:
        """Stores events, durably when it returns, and brings the notes that record their sessions up to date.

        An event whose id its session has is a duplicate and is not stored again. `title` and `cwd` describe the sessions of the
        events. With `run_commands`, `::` commands in the user's messages run: leave it off for events of the past.
        Raises KatoError; the events of other sessions in the same call may be stored then.

            engine.append(kato.parse_log("session.jsonl").events)
        """
        by_session: dict[SessionKey, list[ConversationEvent]] = {}
        for event in events:
            by_session.setdefault(SessionKey(event.provider, event.session_id), []).append(event)
        tickets = [
            self.engine.append(
                AppendRequest(
                    key=key,
                    events=several,
                    lines=Lines.of(map(encode_line, several)),
                    title=title,
                    cwd=None if cwd is None else os.fspath(cwd),
                    replay=not run_commands,
                )
            )
            for key, several in by_session.items()
        ]
        self.engine.commit()
        answers: list[AppendAnswer] = []
        for ticket in tickets:
            if ticket.error is not None:
                raise ticket.error
            assert ticket.answer is not None
            answers.append(ticket.answer)
        return Appended(
            sum(one.accepted for one in answers),
            sum(one.duplicates for one in answers),
            [outcome for one in answers for outcome in one.commands],
        )

    def run(self, key: SessionKey, name: CommandName, path: str | None = None) -> CommandOutcome:
        """Runs a command on the conversation as it stands now. A command that fails has an outcome with an error. Raises
        CommandRefused for an argument that the command does not accept.

            engine.run(key, "capture", "notes/talk.md")
        """
        return self.engine.run_editor_command(key, command_from_editor(name, path, None))

    def sessions(self, *, limit: int = _SESSIONS_MAX) -> list[SessionRecord]:
        """The sessions, at most `limit`: first those that record, then those that were updated last."""
        self.engine.commit()
        found = self.engine.ledger.status_sessions(since_ms=None, limit=limit)
        return [session for session, _ in found]

    def events(self, key: SessionKey, *, after: int = 0) -> Iterator[ConversationEvent]:
        """The session's events from number `after` on, in the order in which they were accepted. Raises UnknownSession."""
        self.engine.commit()
        if self.engine.ledger.session(key) is None:
            raise UnknownSession(*key)
        return (decode_line(line) for _, line in self.engine.ledger.read(key, after=after))

    def markdown(self, key: SessionKey) -> str:
        """The session as Markdown, without frontmatter; a long one is cut off. Raises UnknownSession."""
        self.engine.commit()
        return self.engine.render_session(key).text

    def status(self) -> StatusSnapshot:
        """Memory, sessions and recordings, as `kato status` shows them."""
        self.engine.commit()
        return self.engine.status()

    def heartbeat(self) -> None:
        """Makes what was stored survive a power loss, and repeats what failed. Call it every few seconds in a program that runs
        for long.
        """
        self.engine.heartbeat()


@contextmanager
def open_engine(
    state_dir: str | os.PathLike[str],
    *,
    folders: Sequence[str | os.PathLike[str]] = (),
    settings: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> Iterator[OpenEngine]:
    """An engine on the journal in `state_dir`, which is made if it is missing; closed at the end of the block.

    `folders` are the folders in which notes may be written, as those of an editor's workspace. `settings` are the settings of
    docs/protocol.md by their names; neither the environment nor the user's configuration file counts. `listener` is notified of
    commands and of problems. Servers and other programs may use the same journal meanwhile.
    Raises SettingsInvalid and JournalNotOpened.

        with kato.open_engine("state", folders=["."]) as engine:
            engine.append(kato.parse_log("session.jsonl").events)
    """
    chosen = layers.resolve(
        explicit={**(settings or {}), "stateDir": str(Path(state_dir).absolute())},
        environment={},
        file=None,
        explicit_name="open_engine",
        unknown_provider=registry.unknown_name,
    )
    assembly = Assembly(
        chosen,
        listener=_Quiet() if listener is None else listener,
        folders=[str(Path(folder).absolute()) for folder in folders],
        started_at=now_ms(),
        memory=_HostMemory(),
        footprint=None,
    )
    try:
        assembly.engine.resume()
        yield OpenEngine(assembly.engine)
    finally:
        assembly.engine.close()


class _Quiet(Listener):
    """Notifies no one. Outcomes of commands are returned to the program."""

    def changed(self) -> None:
        """Does nothing."""

    def executed(self, outcome: CommandOutcome) -> None:
        """Does nothing."""

    def notify(self, notice: Notice) -> None:
        """Does nothing."""


class _HostMemory:
    """The memory of a process that is not Kato's: measured, and never trimmed."""

    def sample(self) -> ProcessMemory:
        """What the whole process takes."""
        return process.sample()

    def rss_bytes(self) -> int:
        """What the whole process takes, resident."""
        return process.rss_bytes()

    def trim(self) -> None:
        """Does nothing: a collection would stop the host program."""
