"""Copilot's stores: a state in a log of mutations or in one document, and transcripts of events."""

from typing import Any

import pytest
from msgspec import UNSET

from kato.core.events import AssistantMessage, Decision, ToolCall
from providers.reading import Json, brief, left_out, lines, read, reader_of, runs

ASKED = 1_770_650_031_889


def request(ident: str, text: str, *parts: Json, value: int | None = 1, **fields: Any) -> Json:
    made: Json = {
        "requestId": ident,
        "timestamp": ASKED,
        "message": {"text": text},
        "response": list(parts),
        "modelId": "copilot/gpt-4o",
    }
    if value is not None:
        made["modelState"] = {"value": value}
    return made | fields


def state(*requests: Json, **fields: Any) -> Json:
    return {"kind": 0, "v": {"version": 3, "sessionId": "s", "requests": list(requests)} | fields}


def push(*added: Json, path: tuple[Any, ...] = ("requests",), **fields: Any) -> Json:
    return {"kind": 2, "k": list(path), "v": list(added)} | fields


def put(path: tuple[Any, ...], value: Any) -> Json:
    return {"kind": 1, "k": list(path), "v": value}


def emitted(*records: Json) -> list[tuple[str, str]]:
    return brief(read(reader_of("copilot"), [lines(*records)])[0])


def words(text: str) -> Json:
    return {"value": text}


def test_the_users_message_is_emitted_when_it_appears_and_the_answer_when_it_is_complete() -> None:
    reader = reader_of("copilot")
    asked = reader.feed(lines(state(), push(request("r1", "hi\n::capture x.md", value=0))))
    assert brief(asked.events) == [("user", "hi\n::capture x.md")]
    assert reader.settle().events == []
    reader.feed(lines(push(words("hel"), path=("requests", 0, "response"))))
    assert reader.settle().events == []
    answered, _ = read(
        reader,
        [lines(push(words("hello"), path=("requests", 0, "response"), i=0), put(("requests", 0, "modelState"), {"value": 1}))],
    )  # fmt: skip
    assert brief(answered) == [("assistant", "hello")]


def test_the_unsent_draft_is_never_emitted() -> None:
    draft = {"inputText": "secret\n::capture x.md"}
    assert emitted(state(inputState=draft), put(("inputState", "inputText"), "secret\n::capture y.md")) == []


def test_parts_are_joined_where_a_sentence_is_split() -> None:
    reference = {"kind": "inlineReference", "inlineReference": {"path": "/w/src/a.ts", "scheme": "file"}}
    fences = [words("\n```\n"), {"kind": "undoStop"}, words("\n```\n")]
    answer = [words("See "), reference, words(" please."), *fences]
    assert emitted(state(request("r1", "q", *answer)))[1] == ("assistant", "See `a.ts` please.")


def test_calls_have_the_models_arguments_and_results() -> None:
    shown = {
        "kind": "toolInvocationSerialized",
        "toolCallId": "t1",
        "toolId": "copilot_readFile",
        "pastTenseMessage": {"value": "Read [](file:///w/a%20b.ts)"},
    }
    metadata = {
        "toolCallRounds": [{"toolCalls": [{"id": "call_1__vscode-1", "name": "read_file", "arguments": '{"filePath": "/w/a b.ts"}'}]}],
        "toolCallResults": {"call_1__vscode-1": {"content": [{"value": "x = 1"}]}},
    }  # fmt: skip
    answer = request("r1", "q", words("First."), shown, shown, words("Then."), result={"metadata": metadata})
    events, _ = read(reader_of("copilot"), [lines(state(answer))])
    assert brief(events) == [
        ("user", "q"), ("assistant", "First."), ("call", "read_file"), ("result", "x = 1"), ("assistant", "Then."),
    ]  # fmt: skip
    call, last = events[2], events[4]
    assert isinstance(call, ToolCall)
    assert isinstance(last, AssistantMessage)
    assert (call.description, call.input) == ("Read `a b.ts`", {"filePath": "/w/a b.ts"})
    assert (last.model, last.phase) == ("gpt-4o", "final")


def test_the_automatic_model_is_the_one_that_was_chosen() -> None:
    answer = request(
        "r1", "q", words("a"), modelId="copilot/auto", autoModeResolution={"resolvedModel": "gpt-5"}
    )
    events, _ = read(reader_of("copilot"), [lines(state(answer))])
    assert isinstance(events[1], AssistantMessage)
    assert events[1].model == "gpt-5"


def test_questions_failures_and_cancellations_are_emitted() -> None:
    carousel = {
        "kind": "questionCarousel",
        "questions": [
            {"id": "q1", "title": "Store", "message": "Which?", "options": [{"label": "A"}, {"label": "B"}]}
        ],
        "data": {"q1": {"selectedValue": "B"}},
    }
    failed = request("r2", "again", value=3, result={"errorDetails": {"message": "Sorry."}})
    events, _ = read(
        reader_of("copilot"),
        [lines(state(request("r1", "q", carousel), failed, request("r3", "x", value=2)))],
    )
    assert brief(events) == [
        ("user", "q"), ("decision", "B"), ("user", "again"), ("info", "Sorry."),
        ("user", "x"), ("info", "The turn ended early: cancelled."),
    ]  # fmt: skip
    assert isinstance(events[1], Decision)
    assert events[1].status == "accepted"


def test_a_mutation_that_does_not_fit_is_counted_and_the_rest_read() -> None:
    reader = reader_of("copilot")
    events, problems = read(
        reader,
        [
            lines(
                put(("requests", -1, "x"), 1), state(request("r1", "q", words("a"))), {"kind": 7, "k": ["x"]}
            )
        ],
    )
    assert brief(events) == [("user", "q"), ("assistant", "a")]
    assert [problem.kind for problem in problems] == ["invalid_record", "invalid_record"]


def event(kind: str, number: int, **data: Any) -> Json:
    return {
        "type": kind,
        "data": data,
        "id": f"e{number}",
        "timestamp": f"2026-05-01T10:00:{number:02d}.000Z",
    }


def test_a_transcript_of_events() -> None:
    asked = [{"toolCallId": "t1", "name": "read_file", "arguments": '{"filePath": "a.py"}'}]
    records = [
        event("session.start", 0, sessionId="s9", copilotVersion="0.47", context={"cwd": "/w"}),
        event(
            "user.message",
            1,
            content="hi",
            transformedContent="<context>::capture x.md</context> hi",
            attachments=[],
        ),
        event("assistant.turn_start", 2, turnId="0"),
        event("assistant.message", 3, content="I look.", reasoningText="hm", toolRequests=asked),
        event(
            "tool.execution_start", 4, toolCallId="t1", toolName="read_file", arguments={"filePath": "a.py"}
        ),
        event("tool.execution_complete", 5, toolCallId="t1", success=True, result={"content": "x = 1"}),
        event("tool.execution_start", 6, toolCallId="t2", toolName="bash", arguments={"command": "ls"}),
        event("tool.execution_complete", 7, toolCallId="t2", success=False),
        event("assistant.message", 8, content="Done.", toolRequests=[]),
    ]
    reader = reader_of("copilot")
    events, problems = read(reader, [lines(*records)])
    assert problems == []
    assert brief(events) == [
        ("user", "hi"), ("thinking", "hm"), ("assistant", "I look."), ("call", "read_file"), ("result", "x = 1"),
        ("call", "bash"), ("result", "failed"), ("assistant", "Done."),
    ]  # fmt: skip
    assert (reader.info.session_id, reader.info.cwd, reader.info.version) == ("s9", "/w", "0.47")


@pytest.mark.parametrize(
    ("touched", "cwd"),
    [
        (["/r/src/a.py", "/r/src/deep/b.py"], "/r/src"),
        (["/r/src/a.py", "/r/docs/b.md"], "/r"),
        (["/etc/hosts", "/w/src/a.py", "/tmp/x"], "/w"),  # /w is open
        (["/etc/hosts", "/tmp/x"], None),
        (["src/a.py", "file:///r/a.py"], None),
    ],
)
def test_where_no_record_names_the_folder_the_touched_files_do(touched: list[str], cwd: str | None) -> None:
    reader = reader_of("copilot")
    starts = [
        event("tool.execution_start", n, toolCallId=f"t{n}", toolName="read_file", arguments={"filePath": p})
        for n, p in enumerate(touched)
    ]
    read(reader, [lines(event("session.start", 9, sessionId="s"), *starts)])
    assert reader.info.cwd == cwd


def test_turns_that_are_written_at_one_moment_are_history() -> None:
    """A transcript that is begun late starts with what was said before, at the moment of its beginning."""
    reader = reader_of("copilot")
    replayed = [event("user.message", n, content=f"::capture {n}.md") for n in (1, 1, 1, 30)]
    records = [one | {"id": f"e{n}"} for n, one in enumerate(replayed)]
    events, _ = read(reader, [lines(event("session.start", 0, sessionId="s"), *records)])
    assert [one.event_id in reader.copied for one in events] == [True, True, False, False]


def test_the_answer_in_a_document_without_a_model_state_is_emitted_when_it_is_whole() -> None:
    reader = reader_of("copilot", document=True)
    asked = {"requestId": "r", "timestamp": 1_770_000_000_000, "message": {"text": "q"}}
    emitted = []
    for more in (
        {"response": [{"value": "Half"}]},
        {"response": [{"value": "Half and whole"}], "result": {"timings": {}}},
    ):
        emitted += read(reader, [lines({"sessionId": "s", "requests": [asked | more]})])[0]
        reader.restart()
    assert brief(emitted) == [("user", "q"), ("assistant", "Half and whole")]


def test_what_a_sub_agent_does_is_a_session_of_its_own() -> None:
    def invocation(call: str, **more: Any) -> Json:
        return {"kind": "toolInvocationSerialized", "toolCallId": call, "toolId": f"copilot_{call}", **more}

    parts = [invocation("run"), invocation("look", subAgentInvocationId="run"), {"value": "Done."}]
    reader = reader_of("copilot")
    events, problems = read(reader, [lines(state(request("r1", "q", *parts)))])
    assert problems == []
    assert [(event.session_id, kind) for event, (kind, _) in zip(events, brief(events), strict=True)] == [
        (reader.info.session_id, "user"),
        (reader.info.session_id, "call"),
        ("subagent-run", "call"),
        (reader.info.session_id, "assistant"),
    ]
    about = reader.about("subagent-run")
    assert (about.parent_id, about.parent_tool_call_id) == (reader.info.session_id, "run")


def test_an_answer_without_a_model_state_is_emitted_when_it_appears() -> None:
    reader = reader_of("copilot")
    asked = {"requestId": "r", "timestamp": 1_770_000_000_000, "message": {"text": "q"}}
    first, _ = read(reader, [lines({"kind": 0, "v": {"sessionId": "s", "requests": [asked]}})])
    push = {"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": "a"}]}
    more, _ = read(reader, [lines(push)])
    assert brief([*first, *more]) == [("user", "q"), ("assistant", "a")]


def test_unknown_kinds_are_kept_and_counted() -> None:
    events, problems = read(
        reader_of("copilot"), [lines(event("novelty", 1), state(request("r1", "q", {"kind": "novelty"})))]
    )
    assert [kind for kind, _ in brief(events)] == ["info", "user", "info"]
    assert [problem.detail for problem in problems] == ["novelty", "response part novelty"]


def test_a_log_whose_beginning_is_gone_is_read_from_its_first_whole_turn() -> None:
    records = [
        put(("requests", 4, "modelState"), {"value": 1}),
        push(words("tail of an answer"), path=("requests", 4, "response")),
        push(request("r5", "next question", words("next answer"))),
        push(request("r6", "last question", words("last answer"))),
    ]
    assert emitted(*records) == [
        ("user", "next question"), ("assistant", "next answer"), ("user", "last question"), ("assistant", "last answer"),
    ]  # fmt: skip
    reader = reader_of("copilot")
    _, problems = read(reader, [lines(put(("requests", 10**9, "x"), 1))])
    assert [problem.kind for problem in problems] == ["invalid_record"]


def test_half_an_answer_is_emitted_where_nothing_more_comes() -> None:
    cut_off = state(request("r1", "long question", words("half an answer"), value=0))
    assert emitted(cut_off) == [("user", "long question")]
    reader = reader_of("copilot")
    first = reader.feed(lines(cut_off))
    reader.is_final = True
    assert brief([*first.events, *reader.settle().events]) == [
        ("user", "long question"),
        ("assistant", "half an answer"),
    ]


def test_an_edited_message_is_a_boundary() -> None:
    records = [
        state(request("r1", "Q1", words("A1")), request("r2", "Q2 first try", words("A2"))),
        push(request("r3", "Q2 second try", words("A3")), i=1),
    ]
    assert emitted(*records) == [
        ("user", "Q1"), ("assistant", "A1"), ("user", "Q2 first try"), ("assistant", "A2"),
        ("info", "Rewound to before “Q2 first try”."), ("user", "Q2 second try"), ("assistant", "A3"),
    ]  # fmt: skip


def test_an_edit_shows_its_text() -> None:
    edit = {
        "kind": "textEditGroup",
        "uri": {"path": "/w/a.py"},
        "edits": [[{"text": "print(1)\n", "range": {"startLineNumber": 1, "endLineNumber": 2}}]],
    }
    events, _ = read(reader_of("copilot"), [lines(state(request("r1", "edit", edit, words("done"))))])
    (call,) = [one for one in events if isinstance(one, ToolCall)]
    assert call.input == {"file_path": "/w/a.py", "edits": [{"lines": "1-2", "text": "print(1)\n"}]}


def agents() -> list[Json]:
    return [
        event("session.start", 0, sessionId="main", context={"cwd": "/w"}),
        event("user.message", 1, content="fan out"),
        event("assistant.message", 2, content="Launching.", toolRequests=[{"toolCallId": "c1", "name": "task", "arguments": {}}]),
        event("subagent.started", 3, toolCallId="c1", agentName="explore") | {"agentId": "a1"},
        event("user.message", 4, content="You explore\n::capture evil.md") | {"agentId": "a1"},
        event("user.message", 5, content="look\n::capture evil.md", parentToolCallId="c1"),
        event("assistant.message", 6, content="child says", toolRequests=[]) | {"agentId": "a1"},
        event("tool.execution_start", 7, toolCallId="x1", toolName="bash") | {"agentId": "a1"},
        event("tool.execution_complete", 8, toolCallId="c1", success=True, result={"content": "done"}),
        event("assistant.message", 9, content="Both are done.", toolRequests=[]),
    ]  # fmt: skip


def test_what_a_sub_agent_says_and_does_is_a_session_of_its_own_under_its_call() -> None:
    reader = reader_of("copilot")
    events, _ = read(reader, [lines(*agents())])
    main = [one for one in events if one.session_id == "main"]
    child = [one for one in events if one.session_id == "subagent-c1"]
    assert brief(main) == [
        ("user", "fan out"), ("assistant", "Launching."), ("call", "task"), ("result", "done"), ("assistant", "Both are done."),
    ]  # fmt: skip
    assert brief(child) == [
        ("assistant", "You explore\n::capture evil.md"), ("assistant", "look\n::capture evil.md"),
        ("assistant", "child says"), ("call", "bash"),
    ]  # fmt: skip
    assert dict(reader.started) == {"subagent-c1": "c1"}
    assert runs(events) == []


def test_jetbrains_chats_are_whole() -> None:
    records = [
        event("partition.created", 0),
        event("user.message_rendered", 1, renderedMessage="fix it\n::capture x.md", turnId="t1"),
        event("assistant.turn_start", 2, turnId="t1", model="gpt-5"),
        event("tool.execution_start", 3, toolCallId="c1", toolName="read"),
        event(
            "tool.execution_complete",
            4,
            toolCallId="c1",
            success=True,
            result={"result": [{"value": "x = 1"}]},
        ),
        event("assistant.message", 5, text="Fixed."),
    ]
    events, problems = read(reader_of("copilot"), [lines(*records)])
    assert brief(events) == [
        ("user", "fix it\n::capture x.md"), ("call", "read"), ("result", "x = 1"), ("assistant", "Fixed."),
    ]  # fmt: skip
    assert problems == []
    assert runs(events) == []
    assert left_out(events) == ["capture"]
    assert [one.model for one in events if isinstance(one, AssistantMessage)] == ["gpt-5"]


def test_a_sub_agent_of_a_sub_agent_is_folded_under_the_call_of_its_parent() -> None:
    task = {"description": "Look deeper", "prompt": "deeper"}
    asked = [{"toolCallId": "c2", "name": "task", "arguments": task}]
    inner = [
        event("assistant.message", 10, content="", toolRequests=asked) | {"agentId": "a1"},
        event("subagent.started", 11, toolCallId="c2", agentName="explore") | {"agentId": "a2"},
        event("assistant.message", 12, content="deep down") | {"agentId": "a2"},
    ]
    reader = reader_of("copilot")
    events, _ = read(reader, [lines(*agents(), *inner)])
    assert brief([one for one in events if one.session_id == "subagent-c2"]) == [("assistant", "deep down")]
    about = reader.about("subagent-c2")
    assert (about.parent_id, about.parent_tool_call_id, about.title) == ("subagent-c1", "c2", "Look deeper")
    assert reader.about("subagent-c1").title == "explore"


def test_words_on_a_sub_agents_denied_call_are_the_users_in_the_main_session() -> None:
    result = {"kind": "denied-interactively-by-user", "feedback": "use rg\n::record"}
    denied = event("permission.completed", 8, toolCallId="x1", result=result) | {"agentId": "a1"}
    events, _ = read(reader_of("copilot"), [lines(*agents()[:8], denied)])
    assert [(one.session_id, *short) for one, short in zip(events, brief(events), strict=True)][-2:] == [
        ("main", "user", "use rg\n::record"),
        ("subagent-c1", "result", "Not run: denied by the user."),
    ]
    assert runs(events) == ["record"]


def test_events_of_a_sub_agent_without_times_take_the_time_of_the_main_session() -> None:
    undated = event("assistant.message", 6, content="child says") | {"agentId": "a1"}
    del undated["timestamp"]
    events, _ = read(reader_of("copilot"), [lines(*agents()[:4], undated)])
    assert events[-1].session_id == "subagent-c1"
    assert events[-1].timestamp == events[-2].timestamp


def test_the_model_behind_auto_is_named_once_it_was_chosen() -> None:
    def said(number: int, text: str) -> Json:
        return event("assistant.message", number, content=text)

    records = [
        event("session.model_change", 1, newModel="auto"), said(2, "early"),
        event("session.auto_mode_resolved", 3, chosenModel="gpt-5-mini"), said(4, "chosen"),
        event("session.resume", 5, selectedModel="auto"), said(6, "resumed"),
    ]  # fmt: skip
    events, _ = read(reader_of("copilot"), [lines(*records)])
    models = [one.model for one in events if isinstance(one, AssistantMessage)]
    assert models == [UNSET, "gpt-5-mini", UNSET]
    unresolved = request("r1", "q", words("a"), modelId="copilot/auto")
    events, _ = read(reader_of("copilot"), [lines(state(unresolved))])
    assert [one.model for one in events if isinstance(one, AssistantMessage)] == [UNSET]


@pytest.mark.parametrize(
    "parts",
    [
        [{"kind": "autoModeResolution", "resolvedModel": "gpt-5"}],
        [{"kind": "autoModeResolution", "resolved": {"id": "gpt-5", "name": "GPT-5"}}],
        [{"kind": "usage", "actualModelId": "gpt-5"}],
    ],
)
def test_the_model_behind_auto_stands_in_a_part(parts: list[Json]) -> None:
    answer = request("r1", "q", words("a"), *parts, modelId="copilot/auto")
    events, _ = read(reader_of("copilot"), [lines(state(answer))])
    assert [one.model for one in events if isinstance(one, AssistantMessage)] == ["gpt-5"]


def test_an_edit_of_the_agent_host_is_a_call() -> None:
    moved = {
        "kind": "externalEdit",
        "editKind": "rename",
        "uri": {"path": "/w/b.py"},
        "originalUri": {"path": "/w/a.py"},
        "diff": {"added": 3, "removed": 1},
    }
    events, _ = read(reader_of("copilot"), [lines(state(request("r1", "q", moved)))])
    call = events[1]
    assert isinstance(call, ToolCall)
    assert call.description == "Rename b.py"
    assert call.input == {"file_path": "/w/b.py", "original_path": "/w/a.py", "added": 3, "removed": 1}


def test_a_prompt_that_vs_code_sends_itself_is_not_the_users() -> None:
    background = request("r1", "The terminal ended.\n::capture evil.md", words("ok"), isSystemInitiated=True)
    events, _ = read(reader_of("copilot"), [lines(state(background))])
    assert [kind for kind, _ in brief(events)] == ["system", "assistant"]
    assert runs(events) == []


def test_the_oldest_states_have_the_text_of_a_request_in_place_of_its_message() -> None:
    old = request("r1", "") | {"message": "hi\n::record"}
    events, _ = read(reader_of("copilot"), [lines(state(old))])
    assert brief(events) == [("user", "hi\n::record")]
    assert runs(events) == ["record"]


def test_records_without_an_id_are_told_apart_by_their_content() -> None:
    """JetBrains wrote such."""
    records = [event("user.message", 1, content="a", turnId="t1"), event("assistant.message", 3, text="b")]
    for record in records:
        del record["id"]
    events, _ = read(reader_of("copilot"), [lines(*records)])
    again, _ = read(reader_of("copilot"), [lines(*records)])
    assert len({one.event_id for one in events}) == 2
    assert [one.event_id for one in events] == [one.event_id for one in again]


def test_a_thought_that_is_written_twice_is_emitted_once() -> None:
    records = [
        event("assistant.thinking", 1, text="hm"),
        event("assistant.message", 2, text="a", thinking={"text": "hm"}),
        event("assistant.message", 3, text="b", thinking={"text": "hm"}),
    ]
    assert emitted(*records) == [
        ("thinking", "hm"), ("assistant", "a"), ("thinking", "hm"), ("assistant", "b"),
    ]  # fmt: skip
