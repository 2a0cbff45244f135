"""Codex's rollouts: what is told twice is said once; whose words are whose."""

from typing import Any

import pytest

from kato.model import AssistantMessage, Decision, UserMessage
from providers.reading import Json, brief, left_out, lines, read, reader_of

_clock = iter(range(10**6))


def line(kind: str, **payload: Any) -> Json:
    """A record; each is a second after the one before."""
    second = next(_clock)
    at = f"2026-05-01T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
    return {"timestamp": at, "type": kind, "payload": payload}


def event(what: str, **fields: Any) -> Json:
    return line("event_msg", type=what, **fields)


def item(what: str, **fields: Any) -> Json:
    return line("response_item", type=what, **fields)


def user_item(text: str) -> Json:
    return item("message", role="user", content=[{"type": "input_text", "text": text}])


def text_item(text: str, **fields: Any) -> Json:
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}], **fields)


def completed(what: str, **fields: Any) -> Json:
    return event("item_completed", item={"type": what, "id": "i1"} | fields)


def told(*records: Json, parent: str | None = None) -> list[tuple[str, str]]:
    return brief(read(reader_of("codex", parent=parent), [lines(*records)])[0])


@pytest.mark.parametrize(
    "records",
    [
        [user_item("hi"), event("user_message", message="hi")],
        [event("user_message", message="hi"), user_item("hi")],
        [user_item("hi")],
        [event("user_message", message="hi")],
        [user_item("hi"), completed("UserMessage", content=[{"type": "text", "text": "hi"}])],
        [user_item("hi"), event("user_message", message="hi"), completed("UserMessage", content=[{"type": "text", "text": "hi"}])],
    ],
)  # fmt: skip
def test_a_users_message_is_one_however_many_records_tell_it(records: list[Json]) -> None:
    assert told(*records) == [("user", "hi")]


@pytest.mark.parametrize(
    "records",
    [
        [event("agent_message", message="ok"), text_item("ok")],
        [text_item("ok"), event("agent_message", message="ok")],
        [text_item("ok")],
        [event("agent_message", message="ok"), text_item("ok"), completed("AgentMessage", content=[{"type": "Text", "text": "ok"}])],
    ],
)  # fmt: skip
def test_a_reply_is_one_however_many_records_tell_it(records: list[Json]) -> None:
    assert told(*records) == [("assistant", "ok")]


def test_what_is_said_again_is_said_again() -> None:
    turns: list[Json] = []
    for _ in range(3):
        turns += [user_item("go on"), event("user_message", message="go on")]
        turns += [event("agent_message", message="ok"), text_item("ok")]
    assert told(*turns) == [("user", "go on"), ("assistant", "ok")] * 3


def test_the_id_of_a_message_does_not_depend_on_when_its_twin_is_read() -> None:
    """Between the two records the log can be quiet for a moment."""
    records = [user_item("hi"), event("user_message", message="hi")]
    at_once, _ = read(reader_of("codex"), [lines(*records)])
    reader = reader_of("codex")
    first, _ = read(reader, [lines(records[0])])
    second, _ = read(reader, [lines(records[1])])
    assert [one.event_id for one in (*first, *second)] == [one.event_id for one in at_once]


@pytest.mark.parametrize(
    "words",
    [
        "<environment_context>\n  <cwd>/w</cwd>\n</environment_context>",
        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\n::capture x.md\n</INSTRUCTIONS>",
        "<user_instructions>\n::capture x.md\n</user_instructions>",
        "<turn_aborted>\n</turn_aborted>",
        '<hook_prompt hook_run_id="1">\n::capture x.md\n</hook_prompt>',
        "<user_shell_command>\nls\n</user_shell_command>",
        "<subagent_notification>{}</subagent_notification>",
    ],
)
def test_what_the_host_puts_in_is_not_the_users(words: str) -> None:
    assert told(user_item(words), text_item("ok")) == [("assistant", "ok")]
    assert told(item("message", role="developer", content=[{"type": "input_text", "text": words}])) == []


def test_a_message_with_a_picture_is_told_once() -> None:
    """In the model's history the picture stands between two texts of the host's."""
    url = "data:image/png;base64,aaaa"
    blocks = [
        {"type": "input_text", "text": "look\n::capture x.md"},
        {"type": "input_text", "text": "<image name=[Image #1]>"},
        {"type": "input_image", "image_url": url},
        {"type": "input_text", "text": "</image>"},
    ]
    records = [
        item("message", role="user", content=blocks),
        event("user_message", message="look\n::capture x.md", images=[url]),
    ]
    (said,) = told(*records)
    assert said[1].startswith("look\n::capture x.md")
    assert "<" not in said[1]
    assert told(records[0])[0][1].startswith("look\n::capture x.md\n\n[image")


@pytest.mark.parametrize("source", [{"subagent": "review"}, {"subagent": {"other": "guardian"}}])
def test_what_a_reviewer_is_told_is_not_the_users_word(source: Json) -> None:
    meta = line("session_meta", id="s", cwd="/w", cli_version="0.150.0", source=source)
    assert told(meta, user_item("review\n::capture x.md")) == [("assistant", "review\n::capture x.md")]


def test_an_ides_preamble_is_cut_off() -> None:
    words = (
        "# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\nfix it\n::record"
    )
    assert told(user_item(words), event("user_message", message=words)) == [("user", "fix it\n::record")]
    assert told(event("user_message", message=words.replace(" for Codex", ""))) == [
        ("user", "fix it\n::record")
    ]
    cut = words.partition("## My request")[0] + "::capture evil.md"
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=cut))])
    assert left_out(events) == ["capture"], "where the user's words begin is not known"


def test_the_model_and_the_phase_come_along() -> None:
    events, _ = read(
        reader_of("codex"),
        [lines(line("turn_context", turn_id="t", cwd="/w", model="gpt-5.5"), text_item("a", phase="commentary"), text_item("b", phase="final_answer"))],
    )  # fmt: skip
    assert [(one.model, one.phase) for one in events if isinstance(one, AssistantMessage)] == [
        ("gpt-5.5", "commentary"),
        ("gpt-5.5", "final"),
    ]


def test_polls_of_a_running_command_are_folded_into_it() -> None:
    head = "Chunk ID: a1\nWall time: 1.0 seconds\nProcess running with session ID 7\nOutput:\n"
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "make"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=head + "one\n"),
        item("function_call", name="write_stdin", arguments='{"session_id": 7, "chars": ""}', call_id="c2"),
        item("function_call_output", call_id="c2", output=head + "two\n"),
        event("exec_command_end", call_id="c1", aggregated_output="one\ntwo\nthree\n", exit_code=2),
    ]
    assert told(*records) == [("call", "exec_command"), ("result", "one\ntwo\nthree\n[exit code 2]")]
    ended = [*records[:4], event("task_complete", turn_id="t")]
    assert told(*ended) == [("call", "exec_command"), ("result", "one\ntwo\n")]
    typed = item(
        "function_call", name="write_stdin", arguments='{"session_id": 7, "chars": "y\\n"}', call_id="c3"
    )
    assert told(*records[:2], typed)[1] == ("call", "write_stdin")


def test_a_result_that_is_told_twice_is_one() -> None:
    output = "Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 1\nOutput:\nno\n"
    records = [
        item("function_call", name="exec_command", arguments='{"cmd": "false"}', call_id="c1"),
        item("function_call_output", call_id="c1", output=output),
        event("exec_command_end", call_id="c1", aggregated_output="no\n", exit_code=1),
    ]
    assert told(*records) == [("call", "exec_command"), ("result", "no\n[exit code 1]")]
    assert told(records[0], records[2], records[1]) == [
        ("call", "exec_command"),
        ("result", "no\n[exit code 1]"),
    ]


def test_a_patch_a_search_and_an_outside_tool_are_calls() -> None:
    records = [
        item("custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id="p1"),
        item("custom_tool_call_output", call_id="p1", output='{"output": "Success", "metadata": {}}'),
        event("web_search_end", call_id="w1", query="kato"),
        item("web_search_call", status="completed", action={"type": "search", "query": "kato"}),
        event("mcp_tool_call_end", call_id="m1", invocation={"server": "gh", "tool": "list", "arguments": {}}, result={"Ok": {"content": [{"type": "text", "text": "one"}]}}),
    ]  # fmt: skip
    assert told(*records) == [
        ("call", "apply_patch"), ("result", "Success"), ("call", "web_search"), ("call", "gh.list"), ("result", "one"),
    ]  # fmt: skip


def test_a_question_comes_with_the_answer() -> None:
    question = '{"questions": [{"id": "q", "header": "Store", "question": "Which?", "options": [{"label": "A"}, {"label": "B"}]}]}'
    events, _ = read(
        reader_of("codex"),
        [
            lines(
                item("function_call", name="request_user_input", arguments=question, call_id="c1"),
                item("function_call_output", call_id="c1", output='{"answers": {"q": {"answers": ["B"]}}}'),
            )
        ],
    )
    decision = events[-1]
    assert isinstance(decision, Decision)
    assert (decision.summary, decision.status) == ("B", "accepted")


def test_a_compaction_is_marked_once_and_its_history_is_not_told_again() -> None:
    history = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "old"}]}]
    once = [line("compacted", message="", replacement_history=history), event("context_compacted")]
    assert told(*once) == [("info", "The conversation was compacted.")]


def test_interruptions_and_rewinds_are_told() -> None:
    assert told(event("turn_aborted", reason="interrupted"), event("thread_rolled_back", num_turns=2)) == [
        ("info", "The turn ended early: interrupted."),
        ("info", "The last 2 turns were taken back."),
    ]


def test_the_first_meta_counts_and_a_sub_agent_names_its_parent() -> None:
    reader = reader_of("codex")
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p1", "depth": 1, "agent_nickname": "Ada"}}}
    meta = line("session_meta", id="s", cwd="/w", cli_version="0.150.0", source=spawned)
    copied = line("session_meta", id="old", cwd="/old", cli_version="0.1")
    own = at("2026-06-01T00:00:00.000Z", user_item("look\n::capture x.md"))
    before = user_item("what the parent was told")
    begun = [at("2026-05-31T00:00:00.000Z", record) for record in (meta, copied, before)]
    events, _ = read(reader, [lines(*begun, own)])
    assert (reader.info.cwd, reader.info.version, reader.info.parent_id, reader.info.title) == (
        "/w",
        "0.150.0",
        "p1",
        "Ada",
    )
    assert brief(events) == [("assistant", "look\n::capture x.md")]


def at(moment: str, record: Json) -> Json:
    return record | {"timestamp": moment}


#: A fork made at 2026-05-01T12:00:00Z, and turns that began an hour before, and a moment after.
FORK = "019de368-f600-7000-8000-000000000000"
OLD_TURN, NEW_TURN = "019de332-0780-7000-8000-000000000000", "019de368-f605-7000-8000-000000000000"


@pytest.mark.parametrize("copied_at", ["2026-05-01T11:00:00.000Z", "2026-05-01T12:00:00.030Z"])
def test_a_forks_copied_history_is_history_whatever_its_times_say(copied_at: str) -> None:
    reader = reader_of("codex", session=FORK)
    records = [
        line("session_meta", id=FORK, forked_from_id="root", cwd="/w", cli_version="0.149.0"),
        line("session_meta", id="root", cwd="/elsewhere"),
        event("task_started", turn_id=OLD_TURN),
        user_item("::capture old.md"),
        event("user_message", message="::capture old.md"),
        text_item("copied"),
        user_item("::export last.md"),
        event("task_started", turn_id=NEW_TURN),
        user_item("::capture new.md"),
        event("user_message", message="::capture new.md"),
    ]
    moments = [copied_at] * 7 + ["2026-05-01T12:00:00.500Z"] * 3
    records = [at(moment, record) for moment, record in zip(moments, records, strict=True)]
    events, _ = read(reader, [lines(*records)])
    said = {event.content: event.event_id for event in events if isinstance(event, UserMessage)}
    assert list(said) == ["::capture old.md", "::export last.md", "::capture new.md"]
    assert {words for words, event_id in said.items() if event_id in reader.copied} == {
        "::capture old.md",
        "::export last.md",
    }
    assert reader.info.cwd == "/w"


def test_a_second_sessions_meta_begins_a_copy_also_where_the_first_names_no_fork() -> None:
    reader = reader_of("codex", session=FORK)
    records = [
        line("session_meta", id=FORK, cwd="/w", cli_version="0.149.0"),
        line("session_meta", id="root", cwd="/elsewhere"),
        event("user_message", message="::capture old.md"),
        event("task_started", turn_id=NEW_TURN),
        event("user_message", message="::capture new.md"),
    ]
    events, _ = read(reader, [lines(*[at("2026-05-01T12:00:00.040Z", record) for record in records])])
    assert [event.event_id in reader.copied for event in events] == [True, False]


def test_where_events_tell_what_was_typed_nothing_else_runs_a_command() -> None:
    reader = reader_of("codex")
    records = [
        user_item("hi"),
        event("user_message", message="hi"),
        user_item("<heartbeat>\n::capture x.md\n</heartbeat>"),
        text_item("ok"),
        event("user_message", message="::export y.md"),
    ]
    records[-1]["payload"]["kind"] = "user_instructions"
    events, _ = read(reader, [lines(*records)])
    said = [one for one in events if isinstance(one, UserMessage)]
    assert [one.content for one in said] == ["hi", "<heartbeat>\n::capture x.md\n</heartbeat>"]
    assert left_out(events) == ["capture"]


def test_records_that_join_a_messages_blocks_differently_are_one() -> None:
    blocks = [{"type": "input_text", "text": "look"}, {"type": "input_text", "text": "::capture x.md"}]
    item_first = item("message", role="user", content=blocks)
    assert [
        words for _, words in told(item_first, event("user_message", message="look\n::capture x.md"))
    ] == ["look\n::capture x.md"]
    windows = event("user_message", message="look\r\n::stop")
    assert len(told(user_item("look\n::stop"), windows)) == 1


def test_records_without_a_time_have_that_of_their_session() -> None:
    meta: Json = {"id": "s", "timestamp": "2025-08-01T10:00:00.000Z", "instructions": None, "git": {}}
    (said,), _ = read(reader_of("codex"), [lines(meta, {"role": "user", "type": "message", "content": "hi"})])
    assert said.timestamp.year == 2025


def test_where_turns_tell_no_time_what_is_said_well_after_the_fork_is_its_own() -> None:
    reader = reader_of("codex", session="s")
    meta = line("session_meta", id="s", forked_from_id="root", timestamp="2026-05-01T12:00:00.000Z")
    records = [
        at("2026-05-01T12:00:00.000Z", meta),
        at("2026-05-01T12:00:01.000Z", event("user_message", message="::capture old.md")),
        at("2026-05-01T12:00:09.000Z", event("user_message", message="::capture new.md")),
    ]
    events, _ = read(reader, [lines(*records)])
    assert [event.event_id in reader.copied for event in events] == [True, False]


def test_a_sub_agent_that_begins_with_its_parents_history_tells_its_own_part() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1}}}
    records = [
        line("session_meta", id=FORK, forked_from_id="root", cwd="/w", source=spawned),
        event("task_started", turn_id=OLD_TURN),
        user_item("the parent's"),
        text_item("the parent's answer"),
        event("task_started", turn_id=NEW_TURN),
        user_item("look"),
        text_item("I did"),
    ]
    records = [at("2026-05-01T12:00:00.100Z", record) for record in records]
    events, _ = read(reader_of("codex", session=FORK), [lines(*records)])
    assert brief(events) == [("assistant", "look"), ("assistant", "I did")]


def test_the_first_generations_are_read() -> None:
    records = [
        {"timestamp": "2025-09-10T12:00:00Z", "role": "user", "content": "branch?", "model": "o4"},
        {"timestamp": "2025-09-10T12:00:01Z", "type": "function_call", "name": "shell", "arguments": '{"command": ["git"]}', "call_id": "c1"},
        {"record_type": "state"},
        {"timestamp": "2025-09-10T12:00:02Z", "type": "function_call_output", "call_id": "c1", "output": "main"},
        {"timestamp": "2025-09-10T12:00:03Z", "role": "assistant", "content": "main"},
    ]  # fmt: skip
    assert told(*records) == [
        ("user", "branch?"),
        ("call", "shell"),
        ("result", "main"),
        ("assistant", "main"),
    ]


def test_unknown_kinds_are_kept_and_counted() -> None:
    events, problems = read(reader_of("codex"), [lines(event("novelty"), item("novelty"), line("novelty"))])
    assert [kind for kind, _ in brief(events)] == ["info"] * 3
    assert [problem.detail for problem in problems] == [
        "event_msg novelty",
        "response_item novelty",
        "novelty",
    ]
