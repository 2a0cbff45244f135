"""The protocol's state machine: messages of both sides to what happened in which session.

    client ──► initialize, session/new, load, resume, fork, prompt, cancel, close ─┐
    agent  ──► session/update, session/request_permission, terminal/*             ─┼─► Opened, Said, Ended, Closed
    both   ──► the answers, joined with their requests by the id                  ─┘

Rules:

- A message that breaks the protocol changes nothing and is counted in `problems`.
- What the agent reports from `session/load` on is history: copies of what was said before. Some agents (Gemini CLI) still repeat
  it after their answer, so that it ends with the next prompt, or when the agent is quiet.
- Requests that wait, sessions and their parts are bounded; the oldest are dropped.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

from msgspec import Struct

from kato.assistants.contract import Json
from kato.assistants.values import exit_code_of, identifier, object_of, objects_of, remember, text_of
from kato.channels.acp import names
from kato.channels.acp.frames import AGENT, CLIENT
from kato.channels.acp.prompts import typed_part
from kato.channels.acp.updates import CUT_OFF, STOPPED, About, Session, failed
from kato.core import limits
from kato.core.events import ConversationEvent
from kato.core.text import one_line


class Opened(Struct, frozen=True):
    """A session began, or goes on here. `folders` are those that it works in."""

    session_id: str
    folders: tuple[str, ...]


class Said(Struct, frozen=True):
    """Events of a session, in their order, and its title. `typed` is the part of a prompt that may hold a command."""

    session_id: str
    events: tuple[ConversationEvent, ...]
    is_history: bool = False
    title: str | None = None
    typed: str = ""


class Ended(Struct, frozen=True):
    """A turn of a session ended."""

    session_id: str


class Closed(Struct, frozen=True):
    """A session was closed."""

    session_id: str


Happening = Opened | Said | Ended | Closed


class _Request(NamedTuple):
    method: str
    params: Json


#: The parameters that matter when the answer comes. The content of a prompt does not, and may be large.
_KEPT: Final = (
    "sessionId",
    "cwd",
    "additionalDirectories",
    "toolCall",
    "options",
    "command",
    "args",
    "terminalId",
)
#: The requests that begin a session, of which an agent may report something before it answers.
_BEGINNINGS: Final = ("session/new", "session/resume", "session/fork")


class Conversation:
    """See the module. `command` starts the agent, `run` names this run in ids of events, `assistants` are the names of those
    whose logs Kato reads.
    """

    def __init__(
        self, command: Sequence[str], run: str, *, now: Callable[[], datetime], assistants: Sequence[str]
    ) -> None:
        self.problems: Counter[str] = Counter()
        #: Whether the client shows notices.
        self.shows_notices = False
        self._command = command
        self._run = run
        self._now = now
        self._assistants = assistants
        self._agent_name: str | None = None
        self._agent_title: str | None = None
        self._numbers = count(1)
        self._requests: dict[str, _Request] = {}
        self._sessions: dict[str, Session] = {}
        self._happened: list[Happening] = []

    @property
    def provider(self) -> str:
        """The name under which the agent's sessions are stored."""
        return names.provider(self._agent_name, self._command, self._assistants)

    @property
    def keeper(self) -> str | None:
        """The assistant whose logs the agent may write."""
        return names.keeper_of_logs(self._agent_name, self._command, self._assistants)

    def about(self, session_id: str) -> About | None:
        """Whose session it is; None for one that was closed."""
        found = self._sessions.get(session_id)
        return None if found is None else found.about

    def is_in_sentence(self, given: str) -> bool:
        """Whether the agent is in the middle of a sentence, in the session that client and agent call so."""
        found = self._sessions.get(identifier(given))
        return found is not None and found.is_in_sentence

    # --- Input ------------------------------------------------------------------------------------------

    def take(self, side: int, message: object) -> list[Happening]:
        """Takes a message of a side; what happened."""
        if not isinstance(message, dict):
            self.problems["not an object"] += 1
            return []
        method = message.get("method")
        if isinstance(method, str):
            self._take_request(side, method, object_of(message, "params"), message)
        elif "id" in message:
            self._take_answer(side, message)
        else:
            self.problems["neither a request nor an answer"] += 1
        happened, self._happened = self._happened, []
        return happened

    def settle(self) -> list[Happening]:
        """Emits the complete events of each session in which no prompt waits for its answer. Called after a quiet time."""
        for session in self._sessions.values():
            if not session.prompts and not session.is_loading:
                session.end_turn()
                self._emit(session)
                session.is_history = False
        happened, self._happened = self._happened, []
        return happened

    def end(self) -> list[Happening]:
        """Nothing more comes."""
        for session in list(self._sessions.values()):
            session.end_turn(CUT_OFF if session.prompts else None)
            self._emit(session)
            self._happened.append(Ended(session.about.session_id))
        happened, self._happened = self._happened, []
        return happened

    def _take_request(self, side: int, method: str, params: Json, message: Json) -> None:
        if "id" in message:
            kept = {key: params[key] for key in _KEPT if key in params}
            remember(
                self._requests, _key(side, message["id"]), _Request(method, kept), limits.ACP_REQUESTS_MAX
            )
        take = (self._OF_CLIENT if side == CLIENT else self._OF_AGENT).get(method)
        if take is not None:
            take(self, params)

    def _take_answer(self, side: int, message: Json) -> None:
        request = self._requests.pop(_key(AGENT if side == CLIENT else CLIENT, message["id"]), None)
        if request is None:
            self.problems["answer without a request"] += 1
            return
        take = self._ANSWERS.get((side, request.method))
        if take is not None:
            error = message.get("error")
            take(
                self, request.params, object_of(message, "result"), error if isinstance(error, dict) else None
            )

    # --- Sessions ---------------------------------------------------------------------------------------

    def _session(self, params: Json) -> Session | None:
        """The session that a message names; one that Kato did not see the beginning of begins here."""
        given = text_of(params, "sessionId")
        if not given:
            self.problems["no session id"] += 1
            return None
        found = self._sessions.get(identifier(given))
        if found is None:
            waiting = [one.params for one in self._requests.values() if one.method in _BEGINNINGS]
            found = self._open(given, waiting[-1] if waiting else {})
        return found

    def _open(self, given: str, params: Json) -> Session:
        session_id = identifier(given)
        before = self._sessions.get(session_id)
        cwd = text_of(params, "cwd") or (before.about.cwd if before is not None else None)
        if cwd is not None and len(cwd) > limits.PATH_CHARS_MAX:
            cwd = None
        about = About(self.provider, session_id, given, cwd, self._agent_title)
        session = Session(about, new_id=self._new_id, now=self._now, problems=self.problems)
        if before is not None:
            before.end_turn()
            self._emit(before)
        remember(self._sessions, session_id, session, limits.ACP_SESSIONS_MAX)
        more = params.get("additionalDirectories")
        others = [one for one in more if isinstance(one, str)] if isinstance(more, list) else []
        folders = tuple(folder for folder in [cwd, *others[: limits.ACP_FOLDERS_MAX]] if folder)
        self._happened.append(Opened(session_id, folders))
        return session

    def _emit(self, session: Session, typed: str = "") -> None:
        """Passes on what is complete."""
        events, title = session.taken(), session.title
        session.title = None
        if events or title:
            self._happened.append(Said(session.about.session_id, events, session.is_history, title, typed))

    def _new_id(self) -> str:
        return f"{self._run}:{next(self._numbers)}"

    # --- What the client asks for -----------------------------------------------------------------------

    def _initialize(self, params: Json) -> None:
        capabilities = object_of(params, "clientCapabilities")
        notices = object_of(capabilities, "session").get("notices")
        self.shows_notices = notices is not None and notices is not False

    def _load(self, params: Json) -> None:
        given = text_of(params, "sessionId")
        if given:
            session = self._open(given, params)
            session.is_history = session.is_loading = True

    def _prompt(self, params: Json) -> None:
        session = self._session(params)
        if session is not None:
            session.end_turn()
            self._emit(session)
            session.is_history = False  # what the client sends is never a copy
            session.prompt(params.get("prompt"))
            session.prompts += 1
            self._emit(session, typed_part(params.get("prompt")))
            session.is_history = session.is_loading

    def _close(self, params: Json) -> None:
        session = self._sessions.pop(identifier(text_of(params, "sessionId") or "-"), None)
        if session is not None:
            session.end_turn()
            self._emit(session)
            self._happened += [Ended(session.about.session_id), Closed(session.about.session_id)]

    # --- What the agent answers -------------------------------------------------------------------------

    def _initialized(self, _params: Json, result: Json, _error: Json | None) -> None:
        info = object_of(result, "agentInfo")
        self._agent_name = text_of(info, "name") or None
        self._agent_title = one_line(text_of(info, "title") or text_of(info, "name") or "", 80) or None

    def _opened(self, params: Json, result: Json, error: Json | None) -> None:
        given = text_of(result, "sessionId")
        if given and error is None:
            self._open(given, params)

    def _resumed(self, params: Json, _result: Json, error: Json | None) -> None:
        given = text_of(params, "sessionId")
        if given and error is None:
            self._open(given, params)

    def _forked(self, params: Json, result: Json, error: Json | None) -> None:
        given = text_of(result, "sessionId")
        if given and error is None:
            session = self._open(given, params)
            session.fork_of(text_of(params, "sessionId") or "-")
            self._emit(session)

    def _loaded(self, params: Json, _result: Json, error: Json | None) -> None:
        session = self._sessions.get(identifier(text_of(params, "sessionId") or "-"))
        if session is not None and session.is_loading:
            session.is_loading = False
            if error is not None or session.prompts:
                session.end_turn()
                self._emit(session)
                session.is_history = False

    def _prompted(self, params: Json, result: Json, error: Json | None) -> None:
        session = self._sessions.get(identifier(text_of(params, "sessionId") or "-"))
        if session is None:
            return
        session.prompts = max(session.prompts - 1, 0)
        if error is None:
            session.end_turn(STOPPED.get(text_of(result, "stopReason") or ""))
        else:
            session.end_turn(failed(text_of(error, "message")))
        self._emit(session)
        self._happened.append(Ended(session.about.session_id))

    # --- What the agent reports and asks for ------------------------------------------------------------

    def _updated(self, params: Json) -> None:
        session = self._session(params)
        if session is not None:
            session.update(object_of(params, "update"))
            self._emit(session)

    def _asks_permission(self, params: Json) -> None:
        session = self._session(params)
        if session is not None:
            session.ask(object_of(params, "toolCall"))
            self._emit(session)

    def _decided(self, params: Json, result: Json, _error: Json | None) -> None:
        session = self._sessions.get(identifier(text_of(params, "sessionId") or "-"))
        call_id = text_of(object_of(params, "toolCall"), "toolCallId")
        outcome = object_of(result, "outcome")
        if session is not None and call_id and text_of(outcome, "outcome") == "selected":
            chosen = text_of(outcome, "optionId")
            kinds = {text_of(one, "optionId"): text_of(one, "kind") for one in objects_of(params, "options")}
            session.permit(identifier(call_id), is_denied=(kinds.get(chosen) or "").startswith("reject"))

    def _terminal_created(self, params: Json, result: Json, _error: Json | None) -> None:
        session, terminal_id = self._session(params), text_of(result, "terminalId")
        if session is not None and terminal_id:
            arguments = params.get("args")
            words = [text_of(params, "command") or ""]
            words += [str(one) for one in arguments] if isinstance(arguments, list) else []
            session.terminal(terminal_id, " ".join(words))

    def _terminal_read(self, params: Json, result: Json, _error: Json | None) -> None:
        session, terminal_id = self._session(params), text_of(params, "terminalId")
        if session is not None and terminal_id:
            code = exit_code_of((object_of(result, "exitStatus") or result).get("exitCode"))
            session.terminal_output(terminal_id, text_of(result, "output"), code)

    # --- The methods that matter ------------------------------------------------------------------------

    _OF_CLIENT: Final[Mapping[str, Callable[["Conversation", Json], None]]] = {
        "initialize": _initialize,
        "session/load": _load,
        "session/prompt": _prompt,
        "session/close": _close,
        "session/delete": _close,
    }
    _OF_AGENT: Final[Mapping[str, Callable[["Conversation", Json], None]]] = {
        "session/update": _updated,
        "session/request_permission": _asks_permission,
    }
    #: By the side that answers, and the method of its request.
    _ANSWERS: Final[Mapping[tuple[int, str], Callable[["Conversation", Json, Json, Json | None], None]]] = {
        (AGENT, "initialize"): _initialized,
        (AGENT, "session/new"): _opened,
        (AGENT, "session/load"): _loaded,
        (AGENT, "session/resume"): _resumed,
        (AGENT, "session/fork"): _forked,
        (AGENT, "session/prompt"): _prompted,
        (CLIENT, "session/request_permission"): _decided,
        (CLIENT, "terminal/create"): _terminal_created,
        (CLIENT, "terminal/output"): _terminal_read,
        (CLIENT, "terminal/wait_for_exit"): _terminal_read,
    }


def _key(side: int, request_id: Any) -> str:
    """A request's id: a number and a text are different ids."""
    return f"{side}:{type(request_id).__name__}:{request_id}"
