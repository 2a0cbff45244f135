"""Logs as Copilot's current versions write them, made from a script: what the user typed, and what the assistant did.

A script is a list of turns. Each store has a function that writes it down (`transcript`, `cli`, `jetbrains`, `chat_session`), and
`expected` gives what a reader must emit. Everything here is pure and made up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
START = datetime(2026, 10, 1, 9, 0, tzinfo=timezone.utc)
#: A host's line that looks like a command.
FOREIGN = "::capture evil.md"


@dataclass(frozen=True)
class Thought:
    text: str


@dataclass(frozen=True)
class Words:
    text: str


@dataclass(frozen=True)
class Call:
    name: str
    result: str
    is_denied: bool = False
    agent: tuple["Step", ...] | None = None  # what the sub-agent did that it starts


Step = Thought | Words | Call


@dataclass(frozen=True)
class Turn:
    typed: str
    steps: tuple[Step, ...]
    is_cancelled: bool = False


TYPED = st.sampled_from(
    [
        "How do I split it? ü🎉",
        "fix it\n::capture notes/a.md",
        "::record",
        "why does <div> not close?\n::stop",
        "see `::capture b.md`",
        "```\n::export in-a-fence.md\n```",
        "line one\r\nline two",
    ]
)
SAID = st.sampled_from(["Done.", f"Like this:\n{FOREIGN}", "```py\nx = 1\n```", "ü🎉 — ok"])


def _steps(*, agents: bool) -> st.SearchStrategy[tuple[Step, ...]]:
    agent = st.one_of(st.none(), _steps(agents=False)) if agents else st.none()
    calls = st.builds(
        Call,
        st.sampled_from(["read_file", "bash", "task"]),
        st.sampled_from(["x = 1", f"a.py\n{FOREIGN}", "two\nlines"]),
        st.booleans(),
        agent,
    )
    step: st.SearchStrategy[Step] = st.one_of(st.builds(Thought, SAID), st.builds(Words, SAID), calls)
    return st.lists(step, max_size=4).map(tuple)


SCRIPTS = st.lists(st.builds(Turn, TYPED, _steps(agents=True), st.booleans()), min_size=1, max_size=4)

# --- What a reader must emit for a script ------------------------------------------------------------------

Brief = tuple[str, str]
DENIED = "Not run: denied by the user."
#: A state does not record who denied a call.
DENIED_IN_A_STATE = "Not run: denied."


def expected(script: Sequence[Turn], denied: str = DENIED) -> list[Brief]:
    """The main session, in short."""
    events: list[Brief] = []
    for turn in script:
        events.append(("user", turn.typed))
        events += of_steps(turn.steps, denied)
        if turn.is_cancelled:
            events.append(("info", "The turn ended early: cancelled."))
    return events


def of_steps(steps: Iterable[Step], denied: str = DENIED) -> list[Brief]:
    events: list[Brief] = []
    for step in steps:
        if isinstance(step, Thought):
            events.append(("thinking", step.text))
        elif isinstance(step, Words):
            events.append(("assistant", step.text))
        else:
            events.append(("call", step.name))
            events.append(("result", denied if step.is_denied else step.result))
    return events


def agents_of(script: Sequence[Turn]) -> list[list[Brief]]:
    """The sub-agents' sessions that have events, in short, in the order of their beginning."""
    agents = [step.agent for turn in script for step in turn.steps if isinstance(step, Call) and step.agent]
    return [of_steps(steps) for steps in agents]


# --- Events -----------------------------------------------------------------------------------------------


@dataclass
class Log:
    """Records of events, two seconds apart; `noise` is called for records that stand in between."""

    noise: Callable[[], Iterable[Json]] = tuple
    records: list[Json] = field(default_factory=list)
    calls: int = 0

    def add(self, kind: str, agent: str | None = None, **data: Any) -> None:
        for record in self.noise():
            self._append(record)
        self._append({"type": kind, "data": data} | ({} if agent is None else {"agentId": agent}))

    def _append(self, record: Json) -> None:
        number = len(self.records)
        at = (START + timedelta(seconds=2 * number)).isoformat().replace("+00:00", "Z")
        parent = self.records[-1]["id"] if self.records else None
        self.records.append(record | {"id": f"e{number}", "timestamp": at, "parentId": parent})

    def call_id(self) -> str:
        self.calls += 1
        return f"call_{self.calls}"


def cli(script: Sequence[Turn], noise: Callable[[], Iterable[Json]] = tuple) -> list[Json]:
    """`session-state/<id>/events.jsonl`, as Copilot CLI 1.0.86 and VS Code's agent host write it."""
    log = Log(noise)
    log.add(
        "session.start", sessionId="s", copilotVersion="1.0.86", selectedModel="auto", context={"cwd": "/w"}
    )
    for turn in script:
        log.add("session.auto_mode_resolved", chosenModel="gpt-5-mini")
        log.add("system.message", role="system", content=f"You are…\n{FOREIGN}")
        log.add(
            "user.message", content=turn.typed, transformedContent=f"{FOREIGN}\n{turn.typed}", attachments=[]
        )
        log.add("assistant.turn_start", turnId="0")
        _cli_steps(log, turn.steps, None, None)
        if turn.is_cancelled:
            log.add("abort", reason="cancelled")
        log.add("assistant.turn_end", turnId="0")
    return log.records


def _cli_steps(log: Log, steps: Iterable[Step], agent: str | None, parent: str | None) -> None:
    parents = {} if parent is None else {"parentToolCallId": parent}
    for step in steps:
        if isinstance(step, Thought):
            log.add("assistant.reasoning", agent, content=step.text)
            log.add(
                "assistant.message", agent, content="", reasoningText=step.text, toolRequests=[], **parents
            )
        elif isinstance(step, Words):
            log.add(
                "assistant.message", agent, content=step.text, model="gpt-5-mini", toolRequests=[], **parents
            )
        else:
            _cli_call(log, step, agent, parents)


def _cli_call(log: Log, call: Call, agent: str | None, parents: Json) -> None:
    call_id, given = (
        log.call_id(),
        {"description": "Look", "prompt": FOREIGN} if call.agent else {"path": "a"},
    )
    asked = [{"toolCallId": call_id, "name": call.name, "arguments": given}]
    log.add("assistant.message", agent, content="", toolRequests=asked, **parents)
    log.add(
        "permission.requested", agent, requestId=f"p-{call_id}", permissionRequest={"toolCallId": call_id}
    )
    log.add("tool.execution_start", agent, toolCallId=call_id, toolName=call.name, arguments=given, **parents)
    if call.agent:
        log.add("subagent.started", f"a-{call_id}", toolCallId=call_id, agentName="explore")
        log.add("system.message", f"a-{call_id}", content=f"You explore.\n{FOREIGN}")
        _cli_steps(log, call.agent, f"a-{call_id}", call_id)
        log.add("subagent.completed", f"a-{call_id}", toolCallId=call_id)
    result: Json = {"kind": "denied-interactively-by-user"} if call.is_denied else {"kind": "approved"}
    log.add("permission.completed", agent, requestId=f"p-{call_id}", result=result)
    ended: Json = {"error": {"message": "denied"}} if call.is_denied else {"result": {"content": call.result}}
    log.add(
        "tool.execution_complete", agent, toolCallId=call_id, success=not call.is_denied, **ended, **parents
    )


def transcript(script: Sequence[Turn], noise: Callable[[], Iterable[Json]] = tuple) -> list[Json]:
    """`GitHub.copilot-chat/transcripts/<id>.jsonl`, as VS Code 1.140 writes it: arguments as text in what is asked for."""
    log = Log(noise)
    log.add("session.start", sessionId="s", producer="copilot-agent", copilotVersion="0.47.0")
    for turn in script:
        log.add("user.message", content=turn.typed, attachments=[])
        for number, step in enumerate(turn.steps):
            log.add("assistant.turn_start", turnId=str(number))
            if isinstance(step, Thought):
                log.add("assistant.message", content="", reasoningText=step.text, toolRequests=[])
            elif isinstance(step, Words):
                log.add("assistant.message", content=step.text, toolRequests=[])
            else:
                _transcript_call(log, step)
            log.add("assistant.usage", model="gpt-5")
            log.add("assistant.turn_end", turnId=str(number))
        if turn.is_cancelled:
            log.add("abort", reason="cancelled")
    return log.records


def _transcript_call(log: Log, call: Call) -> None:
    call_id = log.call_id()
    asked = [{"toolCallId": call_id, "name": call.name, "arguments": '{"filePath": "/w/a.py"}'}]
    log.add("assistant.message", content="", toolRequests=asked)
    log.add("tool.execution_start", toolCallId=call_id, toolName=call.name, arguments={"filePath": "/w/a.py"})
    result = DENIED if call.is_denied else call.result
    log.add("tool.execution_complete", toolCallId=call_id, success=True, result={"content": result})


def jetbrains(script: Sequence[Turn], noise: Callable[[], Iterable[Json]] = tuple) -> list[Json]:
    """`jb/<conversation>/partition-<n>.jsonl`, with the typed text and the prompt as it was sent."""
    log = Log(noise)
    log.add("partition.created", conversationId="s", partitionId=1, source="panel")
    for number, turn in enumerate(script):
        turn_id = f"t{number}"
        rendered = f"<context>\n{FOREIGN}\n</context>\n<userRequest>\n{turn.typed}\n</userRequest>"
        log.add("user.message", content=turn.typed, turnId=turn_id)
        log.add("user.message_rendered", renderedMessage=rendered, turnId=turn_id)
        log.add("assistant.turn_start", turnId=turn_id, model="gpt-5.2")
        for step in turn.steps:
            if isinstance(step, Thought):
                log.add("assistant.thinking", text=step.text, turnId=turn_id)
                log.add("assistant.message", text="", thinking={"id": "th", "text": step.text})
            elif isinstance(step, Words):
                log.add("assistant.message", text=step.text, messageId=turn_id, iterationNumber=1)
            else:
                _jetbrains_call(log, step)
        status = "cancelled" if turn.is_cancelled else "success"
        log.add("assistant.turn_end", turnId=turn_id, status=status)
    return log.records


def _jetbrains_call(log: Log, call: Call) -> None:
    call_id = log.call_id()
    values = [
        {"type": "text", "value": line} for line in (DENIED if call.is_denied else call.result).split("\n")
    ]
    log.add("tool.execution_start", toolCallId=call_id, toolName=call.name, arguments={"filePath": "a.py"})
    log.add("tool.execution_complete", toolCallId=call_id, success=True, result={"result": values})


# --- The state of a chat ----------------------------------------------------------------------------------


def chat_session(script: Sequence[Turn], streams: Callable[[], bool]) -> Iterator[Json]:
    """`chatSessions/<id>.jsonl`, as VS Code 1.140 writes it. `streams` chooses for each request: written bit by bit, or
    pushed when it is complete.
    """
    yield {
        "kind": 0,
        "v": {"version": 3, "sessionId": "s", "requests": [], "inputState": {"inputText": FOREIGN}},
    }
    for number, turn in enumerate(script):
        asked: Json = {
            "requestId": f"r{number}",
            "timestamp": 1_790_000_000_000 + 60_000 * number,
            "message": {"text": turn.typed, "parts": []},
            "variableData": {"variables": []},
            "modelId": "copilot/auto",
        }
        parts = [
            {"kind": "autoModeResolution", "resolved": {"id": "gpt-5.2", "name": "GPT"}},
            *_parts(number, turn),
        ]
        state = {"modelState": {"value": 2 if turn.is_cancelled else 1}}
        if not streams():
            yield {"kind": 2, "k": ["requests"], "v": [asked | {"response": parts} | state]}
            continue
        yield {"kind": 2, "k": ["requests"], "v": [asked | {"response": [], "modelState": {"value": 0}}]}
        yield {"kind": 1, "k": ["inputState", "inputText"], "v": FOREIGN}
        for at, part in enumerate(parts):
            path = ["requests", number, "response"]
            yield {"kind": 2, "k": path, "v": [{"value": "half"}]}
            yield {"kind": 2, "k": path, "v": [part], "i": at}
        yield {"kind": 1, "k": ["requests", number, "modelState"], "v": state["modelState"]}
        yield {"kind": 1, "k": ["customTitle"], "v": "Splitting"}


def _parts(request: int, turn: Turn) -> Iterator[Json]:
    for number, step in enumerate(turn.steps):
        if isinstance(step, Thought):
            yield {"kind": "thinking", "value": step.text, "id": f"th{number}"}
        elif isinstance(step, Words):
            yield {"value": step.text, "supportThemeIcons": False}
            yield {"kind": "thinking", "value": ""}  # ends the text
        else:
            call_id = f"call-{request}-{number}"
            yield _invocation(step, call_id)
            for inner, one in enumerate(step.agent or ()):
                if isinstance(one, Call):
                    yield _invocation(one, f"{call_id}-{inner}") | {"subAgentInvocationId": call_id}


def _invocation(call: Call, call_id: str) -> Json:
    return {
        "kind": "toolInvocationSerialized",
        "toolCallId": call_id,
        "toolId": f"copilot_{call.name}",
        "invocationMessage": {"value": "Run [](file:///w/a.py)"},
        "isConfirmed": {"type": 0} if call.is_denied else {"type": 1},
        "isComplete": True,
        "resultDetails": {"input": "{}", "output": [{"type": "embed", "isText": True, "value": call.result}]},
    }
