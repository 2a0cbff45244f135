"""VS Code's state of a chat: its requests, and when each of them is ready to be emitted.

workspaceStorage/<hash>/chatSessions/<id>.jsonl   a log of mutations (see `mutations`)
workspaceStorage/<hash>/chatSessions/<id>.json    the state, rewritten as a whole
globalStorage/emptyWindowChatSessions/, globalStorage/transferredChatSessions/   the same

state    {sessionId, customTitle?, workingDirectory?, requests: [REQUEST], inputState: the unsent draft}
REQUEST  {requestId, timestamp: epoch ms, message: {text} or text, variableData: {variables}, modelId, confirmation?,
          response: [PART] (see `answer`), modelState: {value: 0 pending, 1 complete, 2 cancelled, 3 failed}, result}
"""

from collections.abc import Sequence
from typing import Any

from kato.assistants.contract import Json
from kato.assistants.copilot import mutations
from kato.assistants.copilot.answer import Answer
from kato.assistants.copilot.session import Session
from kato.assistants.copilot.words import doubt_of, path_of_uri, with_attachments
from kato.assistants.tokens import ReplyTokens
from kato.assistants.values import moment, number_of, object_of, objects_of, text_of
from kato.core import limits
from kato.core.text import one_line


class ChatState:
    """The state of a chat, and which of its requests were emitted. `ends` are the fields that show, in a request without a
    `modelState`, that its answer is complete.
    """

    def __init__(self, session: Session, ends: Sequence[str]) -> None:
        self._session = session
        self._ends = ends
        self._state: Any = {}
        self._asked: set[str] = set()
        self._answered: set[str] = set()
        self._tokens = ReplyTokens()

    @property
    def _requests(self) -> list[Json]:
        return objects_of(self._state, "requests") if isinstance(self._state, dict) else []

    def replace(self, state: Json) -> None:
        """Takes a whole state."""
        self._state = state
        self._take_about()
        self._look(0, is_quiet=False)

    def mutate(self, record: Json) -> None:
        """Takes a record of the log of mutations."""
        kind, path = record["kind"], record.get("k", [])
        if kind == 0:
            self.replace(object_of(record, "v"))
        elif not isinstance(path, list) or not path:
            self._session.report("invalid_record", f"a mutation of kind {kind} without a path")
        elif path[0] != "inputState":
            self._mutate(path, record)

    def _mutate(self, path: list[Any], record: Json) -> None:
        kind, before = record["kind"], len(self._requests)
        cut = record.get("i") if kind == mutations.PUSH and path == ["requests"] else None
        if isinstance(cut, int) and 0 <= cut < before:
            self._rewind(cut)
        if not mutations.apply(self._state, path, record):
            self._session.report("invalid_record", f"a mutation of kind {kind} that does not fit the state")
            return
        self._take_about()
        if path[0] == "requests":
            changed = path[1] if len(path) > 1 and isinstance(path[1], int) else max(0, before - 1)
            self._look(max(0, changed - 1), is_quiet=False)

    def _rewind(self, cut: int) -> None:
        """The user edited an earlier message and sent it again. The turns after it were taken back; they stay in the journal."""
        self._look(0, is_quiet=True)
        taken_back = self._requests[cut]
        request_id = text_of(taken_back, "requestId")
        if request_id is not None:
            words = one_line(_typed(taken_back), limits.TITLE_CHARS_MAX)
            sentence = f"Rewound to before “{words}”." if words else "The conversation was taken back."
            self._session.emit_note(f"rewind:{request_id}", None, "requests", sentence, subtype="rewind")

    def _take_about(self) -> None:
        session, state = self._session, self._state
        session.session_id = text_of(state, "sessionId") or session.session_id
        session.title = text_of(state, "customTitle")
        folder = state.get("workingDirectory")
        if session.cwd is None and isinstance(folder, str):
            session.cwd = path_of_uri(folder)

    def settle(self, *, is_final: bool) -> None:
        """The log is quiet: emits the newest answer, if it is complete; with `is_final`, as it is."""
        self._look(0, is_quiet=True, is_final=is_final)

    def _look(self, first: int, *, is_quiet: bool, is_final: bool = False) -> None:
        """Emits what is new in the requests from `first` on."""
        requests = self._requests
        for index in range(first, len(requests)):
            request = requests[index]
            request_id = text_of(request, "requestId")
            if request_id is None or request_id in self._answered:
                continue
            if request_id not in self._asked:
                self._asked.add(request_id)
                self._session.guarded(self._ask, request)
            # The newest answer may still be corrected: it is emitted when the log is quiet.
            if index + 1 < len(requests) or (is_quiet and (is_final or self._is_complete(request))):
                self._answered.add(request_id)
                self._session.guarded(self._answer, request)

    def _is_complete(self, request: Json) -> bool:
        value = object_of(request, "modelState").get("value")
        if value is None:
            return any(request.get(key) for key in self._ends)
        return value in (1, 2, 3) or request.get("isCanceled") is True

    def _ask(self, request: Json) -> None:
        request_id = text_of(request, "requestId") or ""
        at, typed = moment(request.get("timestamp")), _typed(request)
        if request.get("isSystemInitiated") is True:
            if typed.strip():
                self._session.emit_system(request_id, at, "request", typed, request_id)
            return
        content = with_attachments(
            typed, objects_of(object_of(request, "variableData"), "variables"), self._session.save_picture
        )
        if content:
            doubt = "VS Code composed it from a button" if request.get("confirmation") else doubt_of(typed)
            self._session.emit_user(request_id, at, "request", content, request_id, doubt=doubt)

    def _answer(self, request: Json) -> None:
        Answer(self._session, request).emit()
        usage = _usage_of(request)
        given, answered = number_of(usage, "promptTokens"), number_of(usage, "completionTokens")
        if given is not None and answered is not None:
            self._tokens.count(text_of(request, "requestId") or "", given + answered)
            self._session.tokens = self._tokens.total


def _usage_of(request: Json) -> Json:
    parts = (part for part in reversed(objects_of(request, "response")) if part.get("kind") == "usage")
    return object_of(object_of(request, "result"), "usage") or next(parts, {})


def _typed(request: Json) -> str:
    """The text of a request; the first versions had it in place of the message."""
    return text_of(object_of(request, "message"), "text") or text_of(request, "message") or ""
