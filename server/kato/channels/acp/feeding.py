"""What happened between the client and the agent, to a Kato: events are stored, commands are acknowledged.

Rules:

- Events that the agent's own log has, too, are not stored from here (`sources`). Until that is known, they wait.
- A prompt with a command is passed on immediately, and the user sees what became of it.
- A prompt that may hold words of the client runs nothing, also when the agent's log brings it: the user sees why.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeGuard

from msgspec import UNSET, Struct, field
from msgspec.json import decode as decode_json
from msgspec.structs import replace

from kato.channels.acp.conversation import Closed, Conversation, Ended, Happening, Opened, Said
from kato.channels.acp.sources import Source, decided
from kato.channels.acp.updates import OF_AGENT, About
from kato.core import grammar, limits
from kato.core.events import ConversationEvent, ToolCall, UserMessage, encode_line
from kato.core.text import one_line

_STORE_SECONDS: Final = 30.0
_ASK_SECONDS: Final = 3.0
#: Between two looks for an expected log: after the end of a turn, and during one.
_LOOK_PAUSE: Final = 0.3
_TURN_LOOK_PAUSE: Final = 2.0
_NOT_STORED: Final = "events that Kato did not store"
Json = Mapping[str, Any]


class Store(Protocol):
    """A Kato (`katos.Katos`)."""

    def follow(self, folders: tuple[str, ...]) -> None:
        """Sessions work in these folders."""
        ...

    def ask(self, request: Json, seconds: float) -> Json | None:
        """The answer; None if there is none."""
        ...

    def note(self, request: Json) -> None:
        """Lets all processes know what became of a prompt."""
        ...


class Notify(Protocol):
    """Shows the user a sentence in a session of the client."""

    def __call__(self, session: str, sentence: str, *, is_failure: bool) -> None:
        """See the class."""
        ...


class _Fed(Struct):
    """A session. `due` is when an expected log counts as missing. `opening` names the history that the agent may repeat now,
    `load` the one of which the pending events are; None for live ones.
    """

    about: About
    source: Source = Source.UNDECIDED
    log: str | None = None
    held: list[tuple[Said, str | None]] = field(default_factory=list)
    held_bytes: int = 0
    due: float | None = None
    next_look: float = 0.0
    pending: list[bytes] = field(default_factory=list)
    size: int = 0
    title: str | None = None
    opening: str | None = None
    load: str | None = None


class Feeder:
    """See the module. `run` names this run, `clock` is monotonic."""

    def __init__(
        self,
        conversation: Conversation,
        store: Store,
        notify: Notify,
        run: str,
        clock: Callable[[], float],
    ) -> None:
        self.problems: Counter[str] = Counter()
        self._conversation = conversation
        self._store = store
        self._notify = notify
        self._run = run
        self._clock = clock
        self._fed: dict[str, _Fed] = {}
        self._loads = 0

    def take(self, happened: list[Happening]) -> None:
        """Takes what happened. Events may wait for `flush`."""
        for one in happened:
            if isinstance(one, Opened):
                self._open(one)
            elif one.session_id in self._fed:
                fed = self._fed[one.session_id]
                if isinstance(one, Said):
                    self._say(fed, one)
                elif isinstance(one, Ended):
                    self._end_turn(fed)
                elif isinstance(one, Closed) and fed.source is not Source.HELD:
                    del self._fed[one.session_id]

    def flush(self) -> None:
        """Stores what waits."""
        for fed in self._fed.values():
            self._flush(fed)

    def look(self, *, is_over: bool = False) -> None:
        """Looks whether expected logs came."""
        now = self._clock()
        for fed in self._fed.values():
            if fed.source is Source.HELD and (is_over or now >= fed.next_look):
                fed.next_look = now + (_TURN_LOOK_PAUSE if fed.due is None else _LOOK_PAUSE)
                self._decide(fed, is_over=is_over or (fed.due is not None and now >= fed.due))

    @property
    def expects_logs(self) -> bool:
        """Whether events of a session wait for its log."""
        return any(fed.source is Source.HELD for fed in self._fed.values())

    @property
    def reads_logs(self) -> bool:
        """Whether a session comes from a log."""
        return any(fed.source is Source.LOG for fed in self._fed.values())

    # --- What happened ----------------------------------------------------------------------------------

    def _open(self, opened: Opened) -> None:
        about = self._conversation.about(opened.session_id)
        if about is None:
            return  # closed in the same piece
        fed = self._fed.get(opened.session_id)
        if fed is None:
            while len(self._fed) >= limits.ACP_SESSIONS_MAX:
                self._flush(self._fed.pop(next(iter(self._fed))))
            fed = self._fed[opened.session_id] = _Fed(about)
        else:
            self._flush(fed)
            fed.about = about
        self._loads += 1
        fed.opening = f"{self._run}:load-{self._loads}"
        self._store.follow(opened.folders)
        self._decide(fed)

    def _say(self, fed: _Fed, said: Said) -> None:
        load = fed.opening if said.is_history else None
        if fed.source is Source.UNDECIDED:
            self._decide(fed)
        if not said.is_history:
            self._answer_prompts(fed, said)
        if fed.source is Source.HELD:
            fed.held.append((said, load))
            fed.held_bytes += sum(len(encode_line(one)) for one in said.events)
            if fed.held_bytes > limits.ACP_HELD_BYTES_MAX:
                self._decide(fed, is_over=True)
        elif fed.source is Source.ACP:
            self._queue(fed, said, load)
        elif fed.source is Source.UNDECIDED:
            self.problems[_NOT_STORED] += len(said.events)

    def _end_turn(self, fed: _Fed) -> None:
        if fed.source is Source.HELD:
            fed.due = self._clock() + limits.ACP_LOG_SECONDS
            self._decide(fed)
        elif fed.source is Source.LOG:
            self._ask(fed, {"op": "find"}, _ASK_SECONDS)  # reads what the log has by now
        else:
            self._flush(fed)

    def _decide(self, fed: _Fed, *, is_over: bool = False) -> None:
        if fed.source in (Source.LOG, Source.ACP):
            return
        answer = self._ask(fed, {"op": "find"}, _ASK_SECONDS)
        if answer is None and not is_over:
            return
        found = None if answer is None else answer.get("provider")
        keeper = self._conversation.keeper
        fed.source = decided(
            fed.source,
            found=found if isinstance(found, str) else None,
            provider=fed.about.provider,
            may_write_log=keeper is not None,
            is_over=is_over,
        )
        fed.log = found if fed.source is Source.LOG and isinstance(found, str) else keeper
        if fed.source is Source.HELD:
            return
        held, fed.held, fed.held_bytes = fed.held, [], 0
        if fed.source is Source.ACP:
            for one, load in held:
                self._queue(fed, one, load)
            self._flush(fed)

    # --- To Kato ----------------------------------------------------------------------------------------

    def _queue(self, fed: _Fed, said: Said, load: str | None) -> None:
        if said.title:
            fed.title = said.title
        if fed.load != load and said.events:
            self._flush(fed)
            fed.load = load
        for event in said.events:
            line = fitting(event)
            if fed.size + len(line) > limits.ACP_BATCH_BYTES:
                self._flush(fed)
            fed.pending.append(line)
            fed.size += len(line)
            if load is None and _has_command(event):
                self._note_handled(fed, event, said)
                self._flush(fed)

    def _flush(self, fed: _Fed) -> None:
        if fed.source is not Source.ACP or not (fed.pending or fed.title):
            return
        lines, title = fed.pending, fed.title
        fed.pending, fed.size, fed.title = [], 0, None
        request: dict[str, Any] = {"op": "events", "events": [decode_json(line) for line in lines]}
        if title:
            request["title"] = title
        if fed.load is not None:
            request["load"] = fed.load
        answer = self._ask(fed, request, _STORE_SECONDS)
        if answer is None or answer.get("accepted") is None:
            self.problems[_NOT_STORED] += len(lines)
        self._show(fed, answer)

    def _answer_prompts(self, fed: _Fed, said: Said) -> None:
        """Prompts of the client whose commands do not run immediately: the user sees what they will do, or why they do nothing."""
        for event in said.events:
            if not _has_command(event) or event.doubt == OF_AGENT:
                continue
            if event.doubt is not UNSET:
                self._refuse(fed, event, said)
            elif fed.source in (Source.HELD, Source.LOG) and fed.log is not None:
                self._announce(fed, event, said, fed.log)

    def _refuse(self, fed: _Fed, event: UserMessage, said: Said) -> None:
        """What the client sent is all that is known here of who wrote it: a log that brings the prompt runs none of it either."""
        sentence = _refusal(event)
        if sentence is not None:
            self._notify(fed.about.given, sentence, is_failure=True)
        if fed.log is not None:
            note = {"op": "note", **_about_prompt(event, said), "provider": fed.log, "isHandled": True}
            self._ask(fed, note, _ASK_SECONDS)
            self._note(fed, note)

    def _announce(self, fed: _Fed, event: UserMessage, said: Said, log: str) -> None:
        """The commands of a prompt run when the agent's log brings it."""
        prompt = _about_prompt(event, said) | {"provider": log}
        self._show(fed, self._ask(fed, {"op": "prompt", "canStop": False, **prompt}, _ASK_SECONDS))
        self._note(fed, {"op": "note", **prompt})

    def _note_handled(self, fed: _Fed, event: UserMessage, said: Said) -> None:
        """The commands run here: the log of an assistant that comes later must not run them in any window."""
        if fed.log is not None:
            prompt = _about_prompt(event, said)
            self._note(fed, {"op": "note", **prompt, "provider": fed.log, "isHandled": True})

    def _note(self, fed: _Fed, request: dict[str, Any]) -> None:
        self._store.note(self._named(fed, request))

    def _ask(self, fed: _Fed, request: dict[str, Any], seconds: float) -> Json | None:
        return self._store.ask(self._named(fed, request), seconds)

    def _named(self, fed: _Fed, request: dict[str, Any]) -> dict[str, Any]:
        about = {"provider": fed.about.provider, "sessionId": fed.about.session_id}
        if fed.about.cwd is not None:
            about["cwd"] = fed.about.cwd
        return about | request

    def _show(self, fed: _Fed, answer: Json | None) -> None:
        message = None if answer is None else answer.get("message")
        if answer is not None and isinstance(message, str) and message:
            self._notify(fed.about.given, message, is_failure=answer.get("failed") is True)


def _about_prompt(event: UserMessage, said: Said) -> dict[str, Any]:
    return {"prompt": said.typed or event.content, "isTyped": event.doubt is UNSET}


def _refusal(event: UserMessage) -> str | None:
    """Why the commands of a prompt that is in doubt do not run. The last one is named: what a client adds precedes the words of
    the user. None where the prompt only has what was meant as a command.
    """
    commands, _ = grammar.parse(event.content)
    if not commands:
        return None
    *others, last = commands
    line = one_line(f"::{last.name} {last.argument or ''}", limits.DOUBT_CHARS_MAX)
    more = f" (and {len(others)} more)" if others else ""
    return f"“{line}”{more} was not run: {event.doubt}. To run it, send the line in a message of its own."


def _has_command(event: ConversationEvent) -> TypeGuard[UserMessage]:
    if not isinstance(event, UserMessage) or "::" not in event.content:
        return False
    commands, problems = grammar.parse(event.content)
    return bool(commands or problems)


def fitting(event: ConversationEvent) -> bytes:
    """The line of an event; the texts of one that is too large for a request are cut."""
    line = encode_line(event)
    if len(line) <= limits.ACP_EVENT_BYTES_MAX:
        return line
    if isinstance(event, ToolCall):
        given = {} if event.input is UNSET else event.input
        share = limits.ACP_CUT_CHARS // max(len(given), 1)
        short = {key: _cut(value, share) if isinstance(value, str) else value for key, value in given.items()}
        line = encode_line(replace(event, input=short))
        return line if len(line) <= limits.ACP_EVENT_BYTES_MAX else encode_line(replace(event, input={}))
    for name in ("content", "result"):
        text = getattr(event, name, None)
        if isinstance(text, str):
            event = replace(event, **{name: _cut(text, limits.ACP_CUT_CHARS)})
    return encode_line(event)


def _cut(text: str, chars_max: int) -> str:
    left_out = len(text) - chars_max
    return text if left_out <= 0 else f"{text[:chars_max]}\n[{left_out} more characters]"
