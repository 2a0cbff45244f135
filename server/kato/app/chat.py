"""What hooks, MCP servers and `kato acp` ask the running Kato: which one follows a conversation, what becomes of a prompt, a
capture, events. `asked` has the requests.

    look      how near this process is to the conversation: the nearest one is asked the rest
    prompt    a prompt that the user is about to send: a sentence for the user, and whether the host may stop the prompt
    message   a prompt or an answer, of a host whose logs Kato does not read: it is stored like any message
    note      the same prompt, for the processes that do not answer it
    capture   an assistant's tool captures or exports a conversation
    find      under which provider a session of an agent is stored; its log, if there is one, is read
    events    what an agent and its user said (`agents`)

Rules:

- Commands of a prompt run here only if the host proves that the user typed it, the prompt holds nothing else, and the host can
  stop it: the conversation's log may then never bring it. Otherwise they run when the log brings the message, and the answer
  says what will happen.
- A command never runs on a conversation whose log was not read to its end.
- Every path passes the write policy, whichever client asks.
"""

import asyncio
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

import msgspec
from msgspec import UNSET

from kato.app.agents import AgentSessions
from kato.app.asked import About, Capture, Events, Find, Look, Message, Note, Prompt, Request
from kato.core import grammar, limits
from kato.core.commands import Command, CommandProblem, command_from_editor
from kato.core.errors import CommandRefused, KatoError
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Source,
    UserMessage,
    encode_line,
)
from kato.core.lines import Lines
from kato.core.outcomes import CommandOutcome
from kato.core.records import SessionRecord
from kato.core.text import printable
from kato.engine import AppendRequest, Engine
from kato.logs.typed import TypedPrompts
from kato.system.folders import is_inside

_STEP_SECONDS: Final = 0.01
Answer = dict[str, Any]
_Line = Command | CommandProblem


class Chat:
    """See the module. `request` lets a session log be read, `look` those that may have news; `is_behind` says whether the log at
    a path has news (without a path: whether any log has), `is_log_of` whether a file is a session log of an assistant,
    `reads_logs_of` whether Kato reads any of it; `turn` ends a turn of the process.
    """

    def __init__(
        self,
        engine: Engine,
        typed: TypedPrompts,
        *,
        request: Callable[[str], None],
        look: Callable[[], None],
        is_behind: Callable[[str | None], bool],
        is_log_of: Callable[[str, str | None], bool],
        reads_logs_of: Callable[[str], bool],
        turn: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._typed = typed
        self._request = request
        self._is_behind = is_behind
        self._is_log_of = is_log_of
        self._reads_logs_of = reads_logs_of
        self._turn = turn
        self._look = look
        self._agents = AgentSessions(
            engine, typed, reads_logs_of=reads_logs_of, turn=turn, sentence=outcome_sentence
        )

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to a request; `error` where the request breaks the contract."""
        try:
            asked = msgspec.convert(request, Request)
        except msgspec.ValidationError as error:
            return {"error": str(error)}
        if isinstance(asked, Look):
            return {"rank": self._rank(asked)}
        if isinstance(asked, Note):
            self._typed.remember(
                asked.key, asked.prompt, is_typed=asked.is_typed, is_handled=asked.is_handled
            )
            return {}
        if isinstance(asked, Find):
            return await self._find(asked)
        try:
            return await self._act(asked)
        except KatoError as error:
            return {"message": printable(error.message, chars_max=limits.MESSAGE_CHARS_MAX), "failed": True}
        finally:
            self._turn()  # also clients whose appends were committed meanwhile get their answers

    async def _find(self, asked: Find) -> Answer:
        self._look()
        await self._read(asked)
        return self._agents.find(asked)

    async def _act(self, asked: Prompt | Message | Capture | Events) -> Answer:
        if isinstance(asked, Events):
            return self._agents.store(asked)
        if isinstance(asked, Message):
            return self._take(asked)
        return await (self._prompt(asked) if isinstance(asked, Prompt) else self._capture(asked))

    def _rank(self, about: About) -> int:
        """0 where this process does not follow the conversation; the nearer an open folder is to its folder, the higher."""
        folders = self._engine.locations.workspace_folders
        session = self._engine.ledger.session(about.key)
        cwd = about.cwd if session is None or session.cwd is None else session.cwd
        if not folders:
            return 1
        around = [folder for folder in folders if is_inside(cwd, folder)]
        return max((1 + len(os.path.realpath(folder)) for folder in around), default=0)

    # --- Prompts ----------------------------------------------------------------------------------------

    async def _prompt(self, asked: Prompt) -> Answer:
        commands, problems = grammar.parse(asked.prompt)
        found: list[_Line] = [*commands, *problems]
        found.sort(key=lambda one: one.line or 0)
        is_of_host = self._is_log_of(asked.provider, asked.transcript)
        if not found or (asked.transcript and not is_of_host):
            return {}  # another program runs the host's hooks, with sessions of its own
        is_read = await self._read(asked)
        is_known = is_of_host or self._engine.ledger.session(asked.key) is not None
        may_run = asked.is_typed and asked.can_stop and is_read and is_known
        stops = may_run and grammar.holds_commands_alone(asked.prompt)
        self._typed.remember(asked.key, asked.prompt, is_typed=asked.is_typed, is_handled=stops)
        done = self._run if stops else self._announce
        sentences = done(asked, found)
        message = printable("; ".join(sentences), chars_max=limits.MESSAGE_CHARS_MAX)
        return {"message": message, "stop": stops}

    def _run(self, asked: Prompt, found: Sequence[_Line]) -> list[str]:
        """Runs the commands on the conversation as it stands; a sentence for each."""
        session = self._known(asked)
        sentences = []
        for one in found:
            if isinstance(one, CommandProblem):
                sentences.append(one.message)
            else:
                outcome = self._engine.run_editor_command(asked.key, Command(one.name, one.argument))
                sentences.append(outcome_sentence(outcome, session.cwd))
        return sentences

    def _announce(self, asked: Prompt, found: Sequence[_Line]) -> list[str]:
        """What the commands will do when the log brings the message; a sentence for each."""
        session = self._engine.ledger.session(asked.key) or _new_session(asked)
        return [one.message if isinstance(one, CommandProblem) else self._plan(session, one) for one in found]

    def _plan(self, session: SessionRecord, command: Command) -> str:
        try:
            path = self._engine.note_of(session, command)
        except KatoError as error:
            return f"::{command.name} will fail: {error.message}"
        shown = "" if path is None else _shown(path, session.cwd)
        return _PLANS[command.name].format(path=shown)

    def _known(self, asked: About) -> SessionRecord:
        """The session's record; a session of which nothing was stored begins here. Raises KatoError."""
        engine = self._engine
        if engine.ledger.session(asked.key) is None:
            ticket = engine.append(AppendRequest(asked.key, [], Lines.of([]), cwd=asked.cwd))
            engine.commit()
            if ticket.error is not None:
                raise ticket.error
        return engine.ledger.session(asked.key) or _new_session(asked)

    def _take(self, asked: Message) -> Answer:
        """Stores a message and runs its commands, as for one of an editor. Raises CommandRefused for an assistant whose logs
        Kato reads: they are the source of its conversations.
        """
        if self._reads_logs_of(asked.provider):
            raise CommandRefused(f"Kato reads the logs of {asked.provider}: it takes no messages of it here")
        at: dict[str, Any] = {
            "event_id": f"{asked.turn}:{asked.role}:{zlib.crc32(asked.text.encode(errors='replace')):08x}",
            "provider": asked.provider,
            "session_id": asked.session_id,
            "timestamp": datetime.now(timezone.utc),
            "source": Source("hook"),
            "turn_id": asked.turn,
        }
        event: ConversationEvent = (
            UserMessage(role="user", content=asked.text, **at)
            if asked.role == "user"
            else AssistantMessage(role="assistant", content=asked.text, **at)
        )
        lines = Lines.of([encode_line(event)])
        ticket = self._engine.append(AppendRequest(asked.key, [event], lines, cwd=asked.cwd))
        self._turn()
        if ticket.error is not None:
            raise ticket.error
        if not ticket.outcomes:
            return {}
        message = "; ".join(outcome_sentence(one, asked.cwd) for one in ticket.outcomes)
        return {"message": printable(message), "stop": grammar.holds_commands_alone(asked.text)}

    # --- Captures ---------------------------------------------------------------------------------------

    async def _capture(self, asked: Capture) -> Answer:
        command = command_from_editor(asked.mode, grammar.unwrap(asked.path), None)
        await self._read(asked)
        outcome = self._engine.run_editor_command(asked.key, command)
        session = self._engine.ledger.session(asked.key)
        message = outcome_sentence(outcome, None if session is None else session.cwd)
        return {"message": printable(message), "failed": outcome.status == "error"}

    async def _read(self, asked: About) -> bool:
        """Lets the conversation's log be read; whether it was read to its end in time, or all logs if the host does not name it."""
        log = None
        if asked.transcript and self._is_log_of(asked.provider, asked.transcript):
            log = asked.transcript
            self._request(log)
        loop = asyncio.get_running_loop()
        end = loop.time() + limits.LOCAL_READ_SECONDS_MAX
        while self._is_behind(log):
            if loop.time() > end:
                return False
            await asyncio.sleep(_STEP_SECONDS)
        return True


def _new_session(asked: About) -> SessionRecord:
    return SessionRecord(
        key=asked.key, event_count=0, json_bytes=0, created_at=0, updated_at=0, cwd=asked.cwd
    )


def _shown(path: str, cwd: str | None) -> str:
    """A note's path as short as it can be read from the conversation's folder."""
    return os.path.relpath(path, cwd) if cwd is not None and is_inside(path, cwd) else path


_PLANS: Final[Mapping[str, str]] = {
    "init": "the note will be {path}",
    "record": "will record to {path}",
    "capture": "will capture to {path} and record there",
    "export": "will export to {path}",
    "stop": "will stop recording",
    "off": "will keep nothing of this conversation after the line",
    "on": "will keep this conversation again",
}
_DONE: Final[Mapping[str, str]] = {
    "init": "the note is {path}; ::record starts recording",
    "record": "recording to {path}",
    "capture": "recording to {path}",
    "export": "exported to {path}",
    "stop": "stopped recording to {path}",
    "off": "nothing of this conversation is kept from here on; ::on resumes, and `kato clean --session {session}` removes what was kept",
    "on": "this conversation is kept again",
}
_NOTHING_DONE: Final[Mapping[str, str]] = {
    "record": "already recording to {path}",
    "stop": "nothing was being recorded",
    "off": "this conversation is off already: nothing of it is kept",
    "on": "this conversation is kept already",
}


def outcome_sentence(outcome: CommandOutcome, cwd: str | None) -> str:
    """What became of a command, for the user."""
    if outcome.error is not UNSET:
        return f"::{outcome.command} failed: {outcome.error.message}"
    path = "" if outcome.output_path is UNSET else _shown(outcome.output_path, cwd)
    words = _NOTHING_DONE if outcome.status == "noop" else _DONE
    sentence = words.get(outcome.command, _DONE[outcome.command]).format(
        path=path, session=outcome.session_id
    )
    if outcome.backup_path is not UNSET:
        sentence += f" (what stood there is in {outcome.backup_path})"
    return sentence
