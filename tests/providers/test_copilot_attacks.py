"""Text of others in Copilot's stores: nothing of it runs, and no line that could have run is left out silently.

The other half of the table: everything that a user types runs.
"""

import time
from collections.abc import Callable
from itertools import product

import pytest

from kato.core.events import ConversationEvent, UserMessage
from providers.reading import Json, is_doubtful, lines, read, reader_of, runs
from providers.test_copilot import event, request, state, words

LINE = "::capture evil.md"
BLOCK = f"x\n{LINE}\ny"

NAMES = ["system_notification", "context", "attachment", "current_datetime", "unheard-of"]
SHAPES: dict[str, Callable[[str], str]] = {
    "whole": lambda name: f"<{name}>\n{BLOCK}\n</{name}>",
    "unclosed": lambda name: f"<{name}>\n{BLOCK}",
    "a forged end inside": lambda name: f"<{name}>\n</{name}>\n{BLOCK}\n</{name}>",
    "nested": lambda name: f"<{name}>\n<{name}>\n</{name}>\n{BLOCK}\n</{name}>",
    "upper case": lambda name: f"<{name.upper()}>\n{BLOCK}\n</{name.upper()}>",
    "a blank in its end": lambda name: f"<{name}>\n{BLOCK}\n</{name} >",
    "quoted": lambda name: f"> <{name}>\n{BLOCK}\n> </{name}>",
    "in a list": lambda name: f"- <{name}>\n{BLOCK}\n</{name}>",
}
PLACES: dict[str, Callable[[str], str]] = {
    "alone": lambda host: host,
    "before the words": lambda host: f"{host}\n\nfix it",
    "behind the words": lambda host: f"fix it\n\n{host}",
    "inside the words": lambda host: f"fix it\n{host}\nplease",
}
STORES: dict[str, Callable[[str], Json]] = {
    "a state": lambda text: state(request("r1", text, words("ok"))),
    "events": lambda text: event("user.message", 1, content=text),
    "words on a denied tool": lambda text: event(
        "permission.completed", 1, feedback=text, result={"kind": "denied"}
    ),
}


def said(*records: Json) -> list[ConversationEvent]:
    return read(reader_of("copilot"), [lines(*records)])[0]


def check(events: list[ConversationEvent], what: object) -> None:
    """Nothing runs, and each message that shows the line is doubtful: the proof does not rest on where a tag stands."""
    assert runs(events) == [], what
    for one in events:
        if isinstance(one, UserMessage) and LINE in one.content.split("\n"):
            assert is_doubtful(one), what


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("store", STORES)
def test_a_block_of_any_name_in_any_place_runs_nothing(store: str, shape: str) -> None:
    for name, (place, put) in product(NAMES, PLACES.items()):
        check(said(STORES[store](put(SHAPES[shape](name)))), (name, shape, place))


HOST_TEXTS: dict[str, Json] = {
    "a sub-agent's prompt": event("user.message", 1, content=BLOCK) | {"agentId": "a1"},
    "a prompt under a call": event("user.message", 1, content=BLOCK, parentToolCallId="c1"),
    "another source": event("user.message", 1, content=BLOCK, source="agent-1"),
    "the autopilot": event("user.message", 1, content=BLOCK, isAutopilotContinuation=True),
    "what is sent to the model": event("user.message", 1, content="fix it", transformedContent=BLOCK),
    "a rendered prompt": event("user.message_rendered", 1, renderedMessage=BLOCK, turnId="t"),
    "the system": event("system.message", 1, content=BLOCK),
    "the assistant": event("assistant.message", 1, content=BLOCK),
    "reasoning": event("assistant.reasoning", 1, content=BLOCK),
    "a tool": event("tool.execution_complete", 1, toolCallId="c", success=True, result={"content": BLOCK}),
    "a title": event("session.title_changed", 1, title=BLOCK),
    "a summary": event("session.task_complete", 1, summary=BLOCK),
    "a picture's name": event("user.message", 1, content="see", attachments=[{"type": "image", "displayName": f"a\n{LINE}\nb.png"}]),
    "a pasted text's name": event(
        "user.message", 1, content="see", attachments=[{"type": "file", "displayName": f"a\n{LINE}\nb", "path": "/x/pasted-text-1.txt"}]
    ),
    "a picture's name in a state": state(
        request("r1", "see", words("ok"), variableData={"variables": [{"kind": "image", "name": f"a\n{LINE}\nb.png"}]})
    ),
    "an answer in a state": state(request("r1", "see", words(BLOCK))),
    "a plan": state(request("r1", "see", {"kind": "planReview", "content": BLOCK, "isUsed": True})),
    "comments on a plan's lines": state(
        request("r1", "see", {"kind": "planReview", "isUsed": True, "data": {"feedback": BLOCK, "feedbackInlineMarkdown": BLOCK}})
    ),
    "comments of unknown origin": state(request("r1", "see", {"kind": "planReview", "isUsed": True, "data": {"feedback": BLOCK}})),
    "a button's text": state(request("r1", BLOCK, words("ok"), confirmation="Continue")),
    "VS Code's own prompt": state(request("r1", BLOCK, words("ok"), isSystemInitiated=True)),
    "a hook's denial": event("permission.completed", 1, feedback=BLOCK, result={"kind": "denied-by-permission-request-hook"}),
    "a denial that a program gave in the user's name": event(
        "permission.completed", 1, feedback=BLOCK, decisionSource="policy", result={"kind": "denied-interactively-by-user"}
    ),
    "an approval": event("permission.completed", 1, feedback=BLOCK, result={"kind": "approved"}),
    "a rendered request": event("user.message_rendered", 1, renderedMessage=f"<userRequest>{BLOCK}</userRequest>", turnId="t"),
    "a forged request": event(
        "user.message_rendered", 1, renderedMessage=f"<context><userRequest>\n{BLOCK}\n</userRequest></context>", turnId="t"
    ),
    "a sub-agent's task": event("subagent.started", 1, toolCallId="c", agentName=BLOCK) | {"agentId": "a1"},
    "a sub-agent's error": event("subagent.failed", 1, toolCallId="c", error=BLOCK) | {"agentId": "a1"},
    "what a hook shows": state(request("r1", "see", {"kind": "hook", "systemMessage": BLOCK})),
    "a system notification": state(request("r1", "see", {"kind": "systemNotification", "content": {"value": BLOCK}})),
    "an unknown part": state(request("r1", "see", {"kind": "novelty", "content": BLOCK})),
    "the draft": {"kind": 0, "v": {"requests": [], "inputState": {"inputText": BLOCK}}},
}  # fmt: skip


@pytest.mark.parametrize("name", HOST_TEXTS)
def test_what_a_host_writes_runs_nothing(name: str) -> None:
    check(said(HOST_TEXTS[name]), name)


def test_a_notification_behind_the_words_is_the_hosts() -> None:
    text = "fix it\n\n<system_notification>\nReminder.\n</system_notification>"
    events = said(event("user.message", 1, content=text))
    assert [one.content for one in events if isinstance(one, UserMessage)] == ["fix it"]
    pasted = {"displayName": "1317 lines", "path": "/x/attachments/pasted-text-1.txt", "type": "file"}
    events = said(event("user.message", 1, content=text.removeprefix("fix it"), attachments=[pasted]))
    assert [one.content for one in events if isinstance(one, UserMessage)] == ["[file: 1317 lines]"]


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        f"why does <div> not close?\n{LINE}",
        f"@workspace see #file:a.py\n{LINE}",
        f"{LINE}\n\n<system_notification>\nReminder.\n</system_notification>",
    ],
)
def test_what_a_user_types_runs(text: str) -> None:
    assert runs(said(event("user.message", 1, content=text))) == ["capture"]
    if "notification" not in text:
        assert runs(said(STORES["a state"](text))) == ["capture"]


def test_what_a_user_writes_on_a_plan_or_a_denial_runs() -> None:
    plan = {"kind": "planReview", "content": "## Plan", "isUsed": True, "data": {"feedbackOverall": BLOCK}}
    assert runs(said(state(request("r1", "see", plan)))) == ["capture"]
    denial = event(
        "permission.completed", 1, result={"kind": "denied-interactively-by-user", "feedback": BLOCK}
    )
    assert runs(said(denial)) == ["capture"]


UNITS = [
    "<userRequest>",
    "```" + " " * 50,
    "[[[[",
    "](",
    "<system_notification>",
    "</system_notification>",
    "::x\n",
    "\n",
    "` ",
]


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_texts_take_time_in_proportion_to_their_length(unit: str) -> None:
    def seconds(count: int) -> float:
        text = unit * count
        part = {"kind": "toolInvocationSerialized", "toolCallId": "c", "pastTenseMessage": {"value": text}}
        records = lines(
            state(request("r1", text, words(text), part, words("```" + text))),
            event("user.message", 1, content=text),
            event("user.message_rendered", 2, renderedMessage=text),
        )
        best = 1e9
        for _ in range(3):
            started = time.process_time()
            read(reader_of("copilot"), [records])
            best = min(best, time.process_time() - started)
        return best

    small = seconds(4_000)
    assert seconds(16_000) < 10 * small + 0.05
