"""What each kind of record in Copilot's stores means: a row for each kind of each table."""

from typing import Any

import pytest

from kato.assistants.copilot import answer, cli, decisions, jetbrains, transcripts
from kato.core.events import Decision, ProviderInfo, ToolCall
from providers.reading import Json, brief, left_out, lines, read, reader_of, runs
from providers.test_copilot import event, request, state

Row = tuple[Json | list[Json], list[tuple[str, str]]]


def called(call_id: str = "c") -> Json:
    return event("tool.execution_start", 1, toolCallId=call_id, toolName="bash", arguments={"command": "ls"})


EVENTS: dict[str, list[Row]] = {
    "session.start": [(event("session.start", 1, sessionId="s"), [])],
    "session.resume": [(event("session.resume", 1), [("info", "The session was resumed.")])],
    "session.model_change": [(event("session.model_change", 1, newModel="gpt-5"), [])],
    "session.auto_mode_resolved": [(event("session.auto_mode_resolved", 1, chosenModel="gpt-5"), [])],
    "session.title_changed": [(event("session.title_changed", 1, title="T"), [])],
    "session.binary_asset": [(event("session.binary_asset", 1, assetId="a", mimeType="image/png", data="QUJD"), [])],
    "binary_asset": [(event("binary_asset", 1, assetId="a", mimeType="image/png", data="QUJD"), [])],
    "session.context_changed": [(event("session.context_changed", 1, cwd="/w", branch="main"), [])],
    "session.shutdown": [(event("session.shutdown", 1, modelMetrics={"m": {"usage": {"inputTokens": 1}}}), [])],
    "session.compaction_complete": [
        (event("session.compaction_complete", 1, success=True), [("info", "The conversation was compacted.")]),
        (event("session.compaction_complete", 1, success=False, error="empty"), []),
    ],
    "session.compacted": [(event("session.compacted", 1), [("info", "The conversation was compacted.")])],
    "session.context_cleared": [(event("session.context_cleared", 1), [("info", "The context was cleared.")])],
    "context_cleared": [(event("context_cleared", 1), [("info", "The context was cleared.")])],
    "session.info": [
        (event("session.info", 1, infoType="rewind", message="Rewound."), [("info", "Rewound.")]),
        (event("session.info", 1, infoType="mcp", message="Connected."), []),
    ],
    "session.task_complete": [(event("session.task_complete", 1, summary="Done."), [("info", "Done.")])],
    "session.error": [(event("session.error", 1, message="Quota."), [("info", "Quota.")])],
    "session.warning": [(event("session.warning", 1, message="Slow."), [("info", "Slow.")])],
    "user.message": [
        (event("user.message", 1, content="hi"), [("user", "hi")]),
        (event("user.message", 1, content="hi", source="user"), [("user", "hi")]),
        (event("user.message", 1, content="hi", source="skill-x"), []),
        (event("user.message", 1, content="go on", isAutopilotContinuation=True), []),
    ],
    "user.message_rendered": [
        (event("user.message_rendered", 1, renderedMessage="hi"), [("user", "hi")]),
        (
            event("user.message_rendered", 1, renderedMessage="<context>\nA\n</context>\n<userRequest>\nhi\n</userRequest>\n"),
            [("user", "hi")],
        ),
    ],
    "assistant.turn_start": [(event("assistant.turn_start", 1, turnId="0"), [])],
    "assistant.turn_end": [
        (event("assistant.turn_end", 1, turnId="0"), []),
        (event("assistant.turn_end", 1, status="cancelled"), [("info", "The turn ended early: cancelled.")]),
    ],
    "assistant.message": [
        (event("assistant.message", 1, content="Hello.", reasoningText="hm"), [("thinking", "hm"), ("assistant", "Hello.")]),
        (event("assistant.message", 1, text="Hello.", thinking={"text": "hm"}), [("thinking", "hm"), ("assistant", "Hello.")]),
        (
            event("assistant.message", 1, content="", toolRequests=[{"toolCallId": "c", "name": "ls", "arguments": "{}"}]),
            [("call", "ls")],
        ),
    ],
    "assistant.reasoning": [(event("assistant.reasoning", 1, content="hm"), [("thinking", "hm")])],
    "assistant.thinking": [(event("assistant.thinking", 1, text="hm"), [("thinking", "hm")])],
    "assistant.usage": [(event("assistant.usage", 1, model="gpt-5"), [])],
    "tool.execution_start": [(called(), [("call", "bash")])],
    "tool.execution_complete": [
        (event("tool.execution_complete", 1, toolCallId="c", success=True, result={"content": "x"}), [("result", "x")]),
        (event("tool.execution_complete", 1, toolCallId="c", success=True, result={"result": [{"value": "x"}]}), [("result", "x")]),
        (event("tool.execution_complete", 1, toolCallId="c", success=False, error={"message": "gone"}), [("result", "gone")]),
        (event("tool.execution_complete", 1, toolCallId="c", success=True), []),
    ],
    "permission.requested": [(event("permission.requested", 1, requestId="p"), [])],
    "permission.completed": [
        (
            event("permission.completed", 1, decisionSource="human_response", result={"kind": "denied-interactively-by-user", "feedback": "use rg"}),
            [("user", "use rg")],
        ),
        (event("permission.completed", 1, toolCallId="c", result={"kind": "approved"}), []),
        (
            [called(), event("permission.completed", 2, toolCallId="c", result={"kind": "denied-by-rules"})],
            [("call", "bash"), ("result", "Not run: denied by a rule.")],
        ),
        (
            [called(), event("permission.completed", 2, toolCallId="c", result={"kind": "denied-to-come"})],
            [("call", "bash"), ("result", "Not run: denied.")],
        ),
        (
            [
                called(),
                event("permission.requested", 2, requestId="p", permissionRequest={"toolCallId": "c"}),
                event("permission.completed", 3, requestId="p", result={"kind": "denied-interactively-by-user", "feedback": "use rg"}),
                event("tool.execution_complete", 4, toolCallId="c", success=False, error={"message": "denied"}),
            ],
            [("call", "bash"), ("result", "Not run: denied by the user."), ("user", "use rg")],
        ),
        (
            [
                called(),
                event("permission.completed", 2, toolCallId="c", result={"kind": "denied-by-permission-request-hook", "message": "No."}),
            ],
            [("call", "bash"), ("result", "Not run: denied by a hook.\nNo.")],
        ),
    ],
    "subagent.started": [(event("subagent.started", 1, toolCallId="c", agentName="explore") | {"agentId": "a"}, [])],
    "subagent.failed": [(event("subagent.failed", 1, toolCallId="c", error="Gone.") | {"agentId": "a"}, [("info", "Gone.")])],
    "abort": [(event("abort", 1, reason="user"), [("info", "The turn ended early: user.")])],
}  # fmt: skip


def emitted(records: Json | list[Json]) -> list[tuple[str, str]]:
    events, problems = read(
        reader_of("copilot"), [lines(*(records if isinstance(records, list) else [records]))]
    )
    assert problems == []
    return brief(events)


def test_each_kind_of_event_has_a_row() -> None:
    assert set(EVENTS) == {*transcripts.KINDS, *cli.KINDS, *jetbrains.KINDS}
    assert len(EVENTS) == len(transcripts.KINDS) + len(cli.KINDS) + len(
        jetbrains.KINDS
    )  # none is in two tables


@pytest.mark.parametrize(
    ("records", "expected"), [pytest.param(*row, id=kind) for kind, rows in EVENTS.items() for row in rows]
)
def test_an_event_means(records: Json | list[Json], expected: list[tuple[str, str]]) -> None:
    assert emitted(records) == expected


@pytest.mark.parametrize("kind", [*transcripts.IGNORED, *cli.IGNORED, *jetbrains.IGNORED])
def test_an_ignored_event_gives_nothing(kind: str) -> None:
    assert emitted(event(kind.replace("*", "x"), 1, content="::capture evil.md", data="QUJD" * 999)) == []


def test_a_line_for_the_shell_is_shown_as_one_and_runs_no_command() -> None:
    said = event("user.message", 1, content="ls\n::capture a.md", agentMode="shell")
    events, _ = read(reader_of("copilot"), [lines(said)])
    assert brief(events) == [("user", "! ls\n::capture a.md")]
    assert (runs(events), left_out(events)) == ([], ["capture"])


def asset(number: int, media: str = "image/png") -> Json:
    return event(
        "session.binary_asset", number, assetId=f"sha256:{number}", type="image", mimeType=media, data="QUJD"
    )


def attached(number: int, media: str = "image/png") -> Json:
    """A file, to which Copilot CLI refers by the id of its bytes since 1.0.102."""
    about = {"assetId": f"sha256:{number}", "path": "/w/a.png", "displayName": "a.png", "mimeType": media}
    return event("user.message", 9, content="look", attachments=[{"type": "file", **about}])


IN_EDITOR = {"kind": "image", "name": "a.png", "mimeType": "image/gif", "value": {"$base64": "QUJD"}}


@pytest.mark.parametrize(
    ("records", "placeholder", "saved"),
    [
        ([asset(1), attached(1)], "[image: a.png]", "<image/png QUJD>"),
        ([asset(2), attached(1)], "[image: a.png]", "[image: a.png]"),
        ([attached(1), asset(1)], "[image: a.png]", "[image: a.png]"),
        ([asset(1, "text/plain"), attached(1, "text/plain")], None, None),
        (
            [
                event(
                    "user.message",
                    9,
                    content="look",
                    attachments=[{"type": "blob", "mimeType": "image/png", "data": "QUJD"}],
                )
            ],
            "[image]",
            "<image/png QUJD>",
        ),
        (
            [state(request("r", "look", variableData={"variables": [IN_EDITOR]}))],
            "[image: a.png]",
            "<image/gif QUJD>",
        ),
    ],
)
def test_attached_pictures_are_saved_where_they_are_wanted(
    records: list[Json], placeholder: str | None, saved: str | None
) -> None:
    for shown, save in ((placeholder, None), (saved, lambda media, data: f"<{media} {data}>")):
        reader = reader_of("copilot")
        reader.save_picture = save
        first = brief(read(reader, [lines(*records)])[0])[0]
        assert first == ("user", "look" if shown is None else f"look\n\n{shown}")


#: What the schema of Copilot CLI 1.0.86 marks as kept on disk.
PERSISTED = """
    abort assistant.fusion_phase_completed assistant.fusion_phase_failed assistant.message assistant.reasoning assistant.turn_end
    assistant.turn_start external_tool.completed external_tool.requested hook.end hook.start permission.completed
    permission.requested session.auto_mode_resolved session.autopilot_objective_changed session.binary_asset
    session.canvas.recorded session.canvas.removed session.compaction_complete session.compaction_start
    session.completion_receipt session.context_changed session.context_cleared session.error session.fusion_commit_started
    session.fusion_completed session.fusion_handoff session.fusion_resolved session.fusion_route_failed session.handoff
    session.import_legacy session.info session.mode_changed session.mode_notice_delivered session.model_change
    session.permissions_changed session.plan_changed session.remote_steerable_changed session.resume
    session.schedule_cancelled session.schedule_created session.schedule_rearmed session.session_limits_changed
    session.shutdown session.start session.task_complete session.truncation session.usage_checkpoint session.warning
    session.workspace_file_changed skill.invoked subagent.completed subagent.configured subagent.deselected subagent.failed
    subagent.selected subagent.started system.message system.notification tool.execution_complete tool.execution_start
    tool.user_requested tool_search.activated user.message
""".split()


@pytest.mark.parametrize("kind", [*PERSISTED, "session.usage_record"])  # the last one since 1.0.102
def test_each_event_that_the_cli_keeps_on_disk_is_known(kind: str) -> None:
    _, problems = read(reader_of("copilot"), [lines(event(kind, 1))])
    assert problems == []


@pytest.mark.parametrize("kind", ["session.novelty", "hook.novelty.x", "schedule.novelty", "mcp.novelty"])
def test_unknown_bookkeeping_is_counted_and_not_kept(kind: str) -> None:
    known = kind.startswith("hook.")
    events, problems = read(reader_of("copilot"), [lines(event(kind, 1, content="You are…" * 999))])
    assert events == []
    assert [problem.detail for problem in problems] == ([] if known else [kind])


@pytest.mark.parametrize("kind", ["user.novelty", "assistant.novelty", "tool.novelty", "novelty"])
def test_an_unknown_event_that_may_hold_words_is_kept_without_its_files(kind: str) -> None:
    (kept,), problems = read(
        reader_of("copilot"), [lines(event(kind, 1, content="some words", data="QUJD" * 999))]
    )
    assert isinstance(kept, ProviderInfo)
    assert "some words" in kept.content
    assert "QUJD" not in kept.content
    assert [problem.detail for problem in problems] == [kind]


# --- Parts of an answer -----------------------------------------------------------------------------------

PLAN = {"kind": "planReview", "title": "Review", "content": "## Plan\n1. do it", "isUsed": True}
PARTS: dict[str, list[Row]] = {
    "": [({"value": "Hello."}, [("assistant", "Hello.")])],
    "markdownContent": [({"content": {"value": "Hello."}}, [("assistant", "Hello.")])],
    "markdownVuln": [({"content": {"value": "Hello."}}, [("assistant", "Hello.")])],
    "inlineReference": [({"inlineReference": {"path": "/w/a.py"}}, [("assistant", "`a.py`")])],
    "thinking": [({"value": "hm"}, [("thinking", "hm")]), ({"value": ["a", "b"]}, [("thinking", "a\nb")])],
    "textEditGroup": [({"uri": {"path": "/w/a.py"}, "edits": []}, [("call", "edit")])],
    "externalEdit": [({"uri": {"path": "/w/a.py"}, "editKind": "create"}, [("call", "edit")])],
    "questionCarousel": [
        ({"questions": [{"id": "q", "title": "Store"}], "data": {"q": {"selectedValue": "B"}}}, [("decision", "B")]),
        ({"questions": [{"id": "q", "title": "Store"}], "data": {"q": "B"}}, [("decision", "B")]),
        ({"questions": [{"id": "q", "title": "Store"}], "data": {"q": {"freeformValue": "neither"}}}, [("decision", "neither")]),
        ({"questions": [{"id": "q", "title": "Store"}]}, [("decision", "no answer")]),
        ({"questions": [{"id": "q", "title": "Store"}], "answeredExternally": True}, [("decision", "answered elsewhere")]),
    ],
    "confirmation": [({"title": "Go on?", "message": "?", "isUsed": True}, [("decision", "no answer")])],
    "elicitation2": [({"title": "Go on?", "message": "?"}, [("decision", "no answer")])],
    "elicitationSerialized": [({"title": "Go on?", "message": "?", "state": "rejected"}, [("decision", "no answer")])],
    "planReview": [
        (PLAN | {"data": {"rejected": False, "action": "Implement"}}, [("decision", "Plan")]),
        (PLAN | {"data": {"rejected": False, "feedbackOverall": "smaller"}}, [("decision", "Plan"), ("user", "smaller")]),
    ],
    "warning": [({"content": {"value": "Careful."}}, [("info", "Careful.")])],
    "error": [({"content": "Broken."}, [("info", "Broken.")])],
    "info": [({"content": {"value": "Near the limit."}}, [("info", "Near the limit.")])],
    "systemNotification": [({"content": {"value": "Agent finished."}}, [("info", "Agent finished.")])],
    "hook": [
        ({"hookType": "Stop"}, []),
        ({"hookType": "PreToolUse", "stopReason": "No.", "systemMessage": "Ask first."}, [("info", "No.\nAsk first.")]),
    ],
    "autoModeResolution": [({"resolved": {"id": "gpt-5"}}, [])],
}  # fmt: skip


def answered(*parts: Json, **fields: Any) -> list[Any]:
    events, problems = read(reader_of("copilot"), [lines(state(request("r", "q", *parts, **fields)))])
    assert problems == []
    return events[1:]


def test_each_kind_of_part_has_a_row() -> None:
    assert set(PARTS) == set(answer.KINDS)
    assert set(decisions.KINDS) < set(answer.KINDS)


@pytest.mark.parametrize(
    ("kind", "part", "expected"), [(kind, *row) for kind, rows in PARTS.items() for row in rows]
)
def test_a_part_means(kind: str, part: Json, expected: list[tuple[str, str]]) -> None:
    assert brief(answered(part | ({"kind": kind} if kind else {}))) == expected


@pytest.mark.parametrize("kind", answer.IGNORED)
def test_an_ignored_part_gives_nothing_and_interrupts_no_sentence(kind: str) -> None:
    part = {"kind": kind.replace("*", "x"), "content": {"value": "::capture evil.md"}}
    assert brief(answered({"value": "One "}, part, {"value": "sentence."})) == [
        ("assistant", "One sentence.")
    ]


@pytest.mark.parametrize(
    ("part", "status", "said"),
    [
        (PLAN | {"data": {"rejected": False, "action": "Implement", "feedbackOverall": "keep the API"}}, "accepted", "keep the API"),
        (PLAN | {"data": {"rejected": True, "feedbackOverall": "no"}}, "rejected", "no"),
        (PLAN | {"data": {"rejected": False, "feedback": "smaller steps"}}, "rejected", "smaller steps"),
        (PLAN | {"isUsed": False}, "proposed", None),
    ],
)  # fmt: skip
def test_a_plan_is_shown_with_the_users_decision_and_words(part: Json, status: str, said: str | None) -> None:
    decision, *rest = answered(part)
    assert isinstance(decision, Decision)
    assert (decision.status, decision.decided_by) == (status, "user")
    assert isinstance(decision.metadata, dict)
    assert decision.metadata["plan"] == "## Plan\n1. do it"
    assert decision.metadata.get("feedback") == said
    assert brief(rest) == ([] if said is None else [("user", said)])


def test_an_answer_that_copilot_gave_itself_is_not_the_users() -> None:
    part = {"kind": "questionCarousel", "questions": [{"id": "q", "title": "Store"}], "data": {"q": "B"}}
    (decision,) = answered(part | {"answeredExternally": True, "autoReply": True})
    assert isinstance(decision, Decision)
    assert decision.decided_by == "assistant"


# --- Tool calls of a state --------------------------------------------------------------------------------


def invoked(**fields: Any) -> list[Any]:
    return answered({"kind": "toolInvocationSerialized", "toolCallId": "c", "toolId": "run"} | fields)


@pytest.mark.parametrize(
    ("confirmed", "result"),
    [
        ({"type": 0}, "Not run: denied."),
        ({"type": 5}, "Not run: skipped."),
        ({"type": 0, "reason": "A hook said no."}, "Not run: denied. A hook said no."),
        (False, "Not run: denied."),
        ({"type": 1}, "x = 1"),
        ({"type": 4}, "x = 1"),
        (True, "x = 1"),
        (None, "x = 1"),
    ],
)
def test_a_denied_call_is_shown_as_denied(confirmed: object, result: str) -> None:
    output = {"kind": "simpleToolInvocation", "input": "", "output": "x = 1"}
    assert brief(invoked(isConfirmed=confirmed, toolSpecificData=output)) == [
        ("call", "run"),
        ("result", result),
    ]


def test_the_button_that_the_user_pressed_is_a_decision() -> None:
    events = invoked(
        isConfirmed={"type": 4, "selectedButton": "Allow in this session"}, invocationMessage="Run ls"
    )
    assert brief(events) == [("call", "run"), ("decision", "Allow in this session")]


@pytest.mark.parametrize(
    ("line", "more", "given"),
    [
        ({"original": "ls"}, {}, {"command": "ls"}),
        ({"original": "ls", "toolEdited": "ls -1"}, {}, {"command": "ls -1", "original_command": "ls"}),
        ({"original": "ls", "toolEdited": "ls -1", "userEdited": "ls -l"}, {}, {"command": "ls -l", "original_command": "ls"}),
        ({"original": "ls", "userEdited": "ls -l"}, {"editable": False}, {"command": "ls"}),
    ],
)  # fmt: skip
def test_a_terminal_shows_what_really_ran(line: Json, more: Json, given: Json) -> None:
    data = {"kind": "terminal", "language": "sh", "commandLine": line} | more
    call, *_ = invoked(toolSpecificData=data)
    assert isinstance(call, ToolCall)
    assert call.input == given


def test_a_terminal_shows_its_output_and_a_failures_exit_code() -> None:
    output = {"terminalCommandOutput": {"text": "gone"}, "terminalCommandState": {"exitCode": 2}}
    events = invoked(toolSpecificData={"kind": "terminal", "commandLine": {"original": "ls"}} | output)
    assert brief(events)[1:] == [("result", "gone\nexit code 2")]


@pytest.mark.parametrize(
    ("details", "result"),
    [
        ({"output": [{"isText": True, "value": "x"}, {"isText": False, "mimeType": "image/png", "value": "QUJD"}]}, "x\n[image: image/png]"),
        ({"output": {"type": "data", "mimeType": "application/pdf", "base64Data": "QUJD"}}, "[file: application/pdf]"),
    ],
)  # fmt: skip
def test_a_result_in_base64_is_a_placeholder(details: Json, result: str) -> None:
    assert brief(invoked(resultDetails=details))[1:] == [("result", result)]


def test_a_sub_agents_task_and_result_are_its_calls() -> None:
    data = {"kind": "subagent", "description": "Look around", "prompt": "Look.", "result": "Nothing."}
    call, result = invoked(toolSpecificData=data)
    assert call.input == {"description": "Look around", "prompt": "Look."}
    assert result.result == "Nothing."
