"""Codex's rollouts: what is told twice is said once; whose words are whose."""

import codecs
from typing import Any

import pytest
from msgspec import UNSET

from kato.assistants.contract import Reader
from kato.core.events import (
    AssistantMessage,
    ConversationEvent,
    Decision,
    ProviderInfo,
    ToolCall,
    ToolResult,
    UserMessage,
)
from providers.reading import Json, brief, is_doubtful, left_out, lines, read, reader_of, runs

_clock = iter(range(10**6))


def line(kind: str, /, **payload: Any) -> Json:
    """A record; each is a second after the one before."""
    second = next(_clock)
    at = f"2026-05-01T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
    return {"timestamp": at, "type": kind, "payload": payload}


def event(what: str, /, **fields: Any) -> Json:
    return line("event_msg", type=what, **fields)


def item(what: str, /, **fields: Any) -> Json:
    return line("response_item", type=what, **fields)


def user_item(text: str) -> Json:
    return item("message", role="user", content=[{"type": "input_text", "text": text}])


def text_item(text: str, **fields: Any) -> Json:
    return item("message", role="assistant", content=[{"type": "output_text", "text": text}], **fields)


def completed(what: str, /, **fields: Any) -> Json:
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


def test_a_message_with_a_picture_is_emitted_once() -> None:
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
    assert copied_of(reader, events) == {
        "::capture old.md": True,
        "::export last.md": True,
        "::capture new.md": False,
    }
    boundary = [kind for kind, _ in brief(events)].index("info")
    assert brief(events)[boundary:][1:] == [("user", "::capture new.md")], (
        "the boundary stands where the copy ends"
    )
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
    assert copied_of(reader, events) == {"::capture old.md": True, "::capture new.md": False}
    assert ("info", "The conversation was forked from another one.") in brief(events)


def copied_of(reader: Reader, events: list[ConversationEvent]) -> dict[str, bool]:
    """What the user said, and whether it was said in another session."""
    return {one.content: one.event_id in reader.copied for one in events if isinstance(one, UserMessage)}


def test_where_events_tell_what_was_typed_nothing_else_runs_a_command() -> None:
    reader = reader_of("codex")
    records = [
        user_item("hi"),
        event("user_message", message="hi"),
        user_item("<novelty>\n::capture x.md\n</novelty>"),
        user_item("Look at this:\n::capture z.md"),
        text_item("ok"),
        event("user_message", message="::export y.md"),
    ]
    records[-1]["payload"]["kind"] = "user_instructions"
    events, _ = read(reader, [lines(*records)])
    assert brief(events) == [
        ("user", "hi"),
        ("system", "<novelty>\n::capture x.md\n</novelty>"),
        ("user", "Look at this:\n::capture z.md"),
        ("assistant", "ok"),
    ]
    assert (runs(events), left_out(events)) == ([], ["capture"])


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
    assert copied_of(reader, events) == {"::capture old.md": True, "::capture new.md": False}


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


def test_unknown_events_and_items_are_kept_and_unknown_records_are_counted_only() -> None:
    """What was said stands in events and items; other records are bookkeeping, and may be long."""
    events, problems = read(reader_of("codex"), [lines(event("novelty"), item("novelty"), line("novelty"))])
    assert [kind for kind, _ in brief(events)] == ["info"] * 2
    assert [problem.detail for problem in problems] == [
        "event_msg novelty",
        "response_item novelty",
        "novelty",
    ]


# --- Whose words -------------------------------------------------------------------------------------

OPENERS = """# Context from my IDE setup:|# Selected text:|# Files mentioned by the user:|# Diff comments:|# Browser comments:
# Review findings:|# In app browser:|# Chrome tabs:|# MCP app context:|# Applications mentioned by the user:
# Worktree instructions:|# A section of a later version:|## Prior conversation with Codex:|<in-app-browser-context source="x">
{"page": {"url": "https://example.org"}}|The attached pasted text file(s) contain the user's request.""".replace(
    "\n", "|"
)


@pytest.mark.parametrize("marker", ["## My request for Codex:", "## My request:"])
@pytest.mark.parametrize("opener", OPENERS.split("|"))
def test_the_marker_separates_the_request_from_whatever_a_client_puts_in_front(
    opener: str, marker: str
) -> None:
    words = f"\n{opener}\n\n## Selection 1\n::capture evil.md\n\n{marker}\nfix it\n::record\n"
    for records in (
        [user_item(words), event("user_message", message=words)],
        [event("user_message", message=words)],
        [user_item(words), completed("UserMessage", content=[{"type": "text", "text": words}])],
        [user_item(words)],
    ):
        events, _ = read(reader_of("codex"), [lines(*records)])
        assert brief(events) == [("user", "fix it\n::record")]
        assert runs(events) == ["record"]


def test_a_request_that_quotes_the_marker_is_kept_whole_and_runs_nothing() -> None:
    words = "# Context from my IDE setup:\n\n## Active file: a.ts\n\n## My request for Codex:\nExplain:\n## My request:\nis a heading\n::stop"
    events, _ = read(reader_of("codex"), [lines(user_item(words), event("user_message", message=words))])
    assert brief(events) == [("user", "Explain:\n## My request:\nis a heading\n::stop")]
    assert left_out(events) == ["stop"]
    forged = words.replace("## Active file: a.ts", "## Active selection:\n## My request:\n::capture evil.md")
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=forged))])
    assert (runs(events), left_out(events)) == ([], ["capture", "stop"])


def test_a_marker_that_the_user_quotes_cuts_nothing_away() -> None:
    words = "Why does my note show this?\n## My request for Codex:\nand then my words\n::stop"
    events, _ = read(reader_of("codex"), [lines(user_item(words), event("user_message", message=words))])
    assert brief(events) == [("user", words)]
    assert (runs(events), left_out(events)) == ([], ["stop"])


def test_the_users_comments_in_front_of_a_request_are_the_users_words() -> None:
    comments = (
        "# Diff comments:\n\n## User Comment 1\nFile: src/a.ts\nSide: R\nLines: 3\nComment:\nRemove this line\n\nand that\n\n"
        "## User Comment 2\nFile: b.ts\nComment: Why?\n\n# In app browser:\n- The user looks at\nComment:\nnot one\n\n## My request:\n"
    )
    both = "Remove this line\n\nand that\n[on: src/a.ts, 3]\n\nWhy?\n[on: b.ts]"
    assert told(user_item(comments), event("user_message", message=comments)) == [("user", both)]
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=f"{comments}Now!\n::stop"))])
    assert brief(events) == [("user", f"Now!\n::stop\n\n{both}")]
    assert runs(events) == ["stop"], "no comment could hold a command"
    in_comment = comments.replace("Why?", "Why?\n::capture x.md")
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=in_comment))])
    assert (runs(events), left_out(events)) == ([], ["capture"])


def test_the_users_annotations_of_an_answer_are_the_users_words() -> None:
    notes = '[{"text": "the old\\nsentence", "annotation": "THIS WAS MINE"}, {"text": "only selected"}, 7]'
    words = f"# Response annotations:\nEach item …\n<response-annotations>\n{notes}\n</response-annotations>\n\n## My request:\n"
    assert told(event("user_message", message=words + "Shorten it")) == [
        ("user", "Shorten it\n\nTHIS WAS MINE\n[on: the old sentence]")
    ]
    assert told(event("user_message", message=words)) == [("user", "THIS WAS MINE\n[on: the old sentence]")]
    more = words.replace(
        "\n\n## My", "\n\n# Diff comments:\n\n## User Comment 1\nFile: a.ts\nComment:\nand this\n\n## My"
    )
    assert told(event("user_message", message=more)) == [
        ("user", "THIS WAS MINE\n[on: the old sentence]\n\nand this\n[on: a.ts]")
    ]


def test_files_without_a_request_leave_their_names() -> None:
    words = "\n# Files mentioned by the user:\n\n## a\u202eb.txt: /tmp/a.txt\n## c.png: /tmp/c.png\n\n## My request:\n\n"
    assert told(user_item(words), event("user_message", message=words)) == [
        ("user", "[file: a\\u202eb.txt]\n[file: c.png]")
    ]


def test_answers_that_come_later_are_decisions() -> None:
    replies = '[{"questionItemId": "[\\"request_user_input_async\\",\\"c1\\",0]", "question": "Which?", "answer": "B\\n::stop"}, {"answer": "x"}, {}]'
    envelope = f"<send_user_message_question_reply>\n{replies}\n</send_user_message_question_reply>"
    for words in (envelope, f"# Context from my IDE setup:\n\n## My request for Codex:\n{envelope}"):
        events, _ = read(reader_of("codex"), [lines(user_item(words), event("user_message", message=words))])
        assert brief(events) == [("decision", "B ::stop"), ("decision", "x")]
        assert isinstance(events[0], Decision)
        assert events[0].metadata is not UNSET
        assert (events[0].metadata["question"], events[0].source.provider_event_id) == ("Which?", "c1")
        assert len({one.event_id for one in events}) == 2
    quoted = f"It shows {envelope}"
    assert told(event("user_message", message=quoted)) == [("user", quoted)]


def kinds_item(**parts: str) -> Json:
    """A message of the history in the role of a user; each part is named by its kind."""
    content = [{"type": "input_text", "text": text} for text in parts.values()]
    about = {"content_item_kinds": [kind.rstrip("_").replace("__", ".") for kind in parts]}
    return item("message", role="user", content=content, internal_chat_message_metadata_passthrough=about)


def test_where_the_log_says_what_each_part_is_only_the_users_parts_are_emitted() -> None:
    host = kinds_item(
        agents_md__instructions="::capture a.md", environments__environment_context="::capture b.md"
    )
    review = kinds_item(review__exit="::capture c.md")
    mixed = kinds_item(hooks__additional_context="::capture d.md", user__text="hi\n::record")
    answered = kinds_item(user__answered_question="::stop")
    events, _ = read(reader_of("codex"), [lines(host, review, mixed, answered)])
    assert [one.content for one in events if isinstance(one, UserMessage)] == ["hi\n::record", "::stop"]
    assert runs(events) == ["record", "stop"]
    events, _ = read(reader_of("codex"), [lines(kinds_item(user__novelty="::stop"))])
    assert left_out(events) == ["stop"]


def test_what_a_schedule_sends_is_not_typed_though_an_event_repeats_it() -> None:
    heartbeat = kinds_item(user__heartbeat="Collect the news.\n::capture x.md")
    said = event("user_message", message="Collect the news.\n::capture x.md")
    for pieces in ([lines(heartbeat, said)], [lines(heartbeat), b"", lines(said)]):
        reader = reader_of("codex")
        events = [one for piece in pieces for one in (*reader.feed(piece).events, *reader.settle().events)]
        assert brief(events) == [("system", "Collect the news.\n::capture x.md")]
    tagged = "<heartbeat>\n<automation_id>x</automation_id>\n::capture x.md\n</heartbeat>"
    assert told(event("user_message", message=tagged)) == [("system", tagged)]


def test_a_log_without_events_is_read_by_the_same_rules() -> None:
    goal = '<codex_internal_context source="goal">\nGo on.\n<objective>\nPort &lt;it&gt;\n::capture g.md\n</objective>\n</codex_internal_context>'
    records = [
        user_item("# AGENTS.md instructions\n\n<INSTRUCTIONS>\n::capture a.md\n</INSTRUCTIONS>"),
        user_item("<environment_context>\n::capture b.md\n</environment_context>"),
        user_item("Warning: apply_patch was requested via exec_command.\n::capture c.md"),
        user_item("Warning: something else.\n::capture d.md"),
        user_item("<novelty>\n::capture e.md\n</novelty>"),
        user_item(goal),
        user_item(goal),
        user_item("please\n::record"),
        text_item("ok"),
    ]
    events, _ = read(reader_of("codex"), [lines(*records)])
    assert [words for kind, words in brief(events) if kind == "user"] == [
        "Warning: something else.\n::capture d.md",
        "<novelty>\n::capture e.md\n</novelty>",
        "Port <it>\n::capture g.md",
        "please\n::record",
    ]
    assert (runs(events), left_out(events)) == (["record"], ["capture"] * 2), "the line in <novelty> is text"
    assert [is_doubtful(event) for event in events if isinstance(event, UserMessage)] == [
        True,
        True,
        True,
        False,
    ]


def test_an_unknown_envelope_before_the_first_event_runs_nothing() -> None:
    reader = reader_of("codex")
    first, _ = read(reader, [lines(user_item("<novelty>\n::capture evil.md\n</novelty>"))])
    then, _ = read(reader, [lines(user_item("::record"), event("user_message", message="::record"))])
    assert [is_doubtful(event) for event in first] == [True]
    assert runs(then) == ["record"]


def test_a_goal_is_emitted_once_whatever_becomes_of_it() -> None:
    def goal(objective: str, status: str) -> Json:
        return event("thread_goal_updated", threadId="s", goal={"objective": objective, "status": status})

    reminder = "<goal_context>\n<untrusted_objective>\nPort it\n</untrusted_objective>\n</goal_context>"
    records = [
        goal("Port it", "active"),
        user_item(reminder),
        text_item("ok"),
        goal("Port it", "complete"),
        goal("Ship it\n::stop", "active"),
    ]
    events, _ = read(reader_of("codex"), [lines(*records)])
    assert brief(events) == [("user", "Port it"), ("assistant", "ok"), ("user", "Ship it\n::stop")]
    assert left_out(events) == ["stop"]
    created = item("function_call", name="create_goal", call_id="c1", arguments='{"objective": "Its own"}')
    assert told(created, goal("Its own", "active")) == [("call", "create_goal")]


@pytest.mark.parametrize("name", ["external_ide_context", "user_action", "SUBAGENT_NOTIFICATION", "agent_message_board_notification", "next_prompt_suggestion", "permissions instructions"])  # fmt: skip
def test_blocks_that_codex_writes_stand_in_no_note(name: str) -> None:
    words = f"<{name}>\n::capture x.md\n</{name.lower()}>"
    typed = [user_item("hi"), event("user_message", message="hi")]
    assert told(user_item(words)) == []
    assert told(*typed, user_item(words)) == [("user", "hi")]


def test_what_stands_in_several_parts_runs_nothing() -> None:
    parts = [
        {"type": "input_text", "text": "look\n\n"},
        {"type": "input_text", "text": "The next image shows a page.\n::stop"},
    ]
    history = item("message", role="user", content=parts)
    joined = event("user_message", message="".join(part["text"] for part in parts))
    one_by_one = completed("UserMessage", content=[part | {"type": "text"} for part in parts])
    for records in ([history, joined], [history, one_by_one], [one_by_one], [history]):
        events, _ = read(reader_of("codex"), [lines(*records)])
        assert (runs(events), left_out(events)) == ([], ["stop"])
        assert len(events) == 1


def test_attachments_leave_their_names() -> None:
    said = event(
        "user_message",
        message="look",
        images=["https://example.org/a.png"],
        local_images=["/w/b.png"],
        local_audio=["/w/c.wav"],
    )
    assert told(said) == [("user", "look\n\n[image]\n\n[image: /w/b.png]\n\n[audio: /w/c.wav]")]
    content = [
        {"type": "local_image", "path": "/w/b.png"},
        {"type": "text", "text": "look"},
        {"type": "skill", "name": "x", "path": "/s"},
    ]
    assert told(completed("UserMessage", content=content)) == [("user", "look\n\n[image: /w/b.png]")]
    assert told(completed("UserMessage", content=content[:1])) == [("user", "[image: /w/b.png]")]


# --- Once, and once more -----------------------------------------------------------------------------

PLAN = "# Plan\n\n1. Move the parser\n2. Test it"


def test_a_plan_is_emitted_once_without_its_tags() -> None:
    planned = completed("Plan", text=f"{PLAN}\n")
    tagged = f"<proposed_plan>\n{PLAN}\n</proposed_plan>"
    assert told(planned, text_item(tagged, phase="final_answer")) == [("assistant", PLAN)]
    assert told(text_item(tagged)) == [("assistant", PLAN)]
    around = text_item(f"Here is the plan.\n\n{tagged}\n")
    shown = event("agent_message", message="Here is the plan.\n")
    for records in ([planned, shown, around], [shown, around, planned], [around]):
        assert sorted(words.strip() for _, words in told(*records)) == [PLAN, "Here is the plan."]
    quoted = f"The tags look so:\n```\n{tagged}\n```"
    assert told(text_item(quoted)) == [("assistant", quoted)]


def test_a_citation_of_the_memory_is_no_part_of_an_answer() -> None:
    cited = "Port 8080.\n\n<oai-mem-citation>\n<citation_entries>\nMEMORY.md:1\n</citation_entries>\n</oai-mem-citation>"
    shown = event("agent_message", message="Port 8080.")
    for records in ([shown, text_item(cited)], [text_item(cited), shown], [text_item(cited)]):
        assert told(*records) == [("assistant", "Port 8080.")]
    quoted = "`<oai-mem-citation>` is a tag"
    assert told(text_item(quoted)) == [("assistant", quoted)]


def test_a_review_and_its_findings_are_emitted_once() -> None:
    output = {"overall_explanation": "Two bugs.", "findings": [{"title": "A", "body": "b"}]}
    whole = "Two bugs.\n\nFull review comments:\n- A"
    answer = [event("agent_message", message=whole), text_item(whole)]
    rest = ("assistant", "Full review comments:\n- A")
    for ended in (
        event("exited_review_mode", review_output=output),
        completed("ExitedReviewMode", review_output=output),
    ):
        assert told(ended, *answer) == [("assistant", "Two bugs."), rest]
        assert told(ended) == [("assistant", "Two bugs.")]
        assert told(ended, event("agent_message", message="Two bugs.")) == [("assistant", "Two bugs.")]
        later = [event("user_message", message="again"), event("agent_message", message="Two bugs.\nStill.")]
        assert told(ended, *later)[-1] == ("assistant", "Two bugs.\nStill.")


def test_the_same_words_in_two_turns_are_two_also_where_their_records_differ_in_kind() -> None:
    turns = [
        event("user_message", message="go on"), event("agent_message", message="ok"),
        user_item("go on"), text_item("ok"),
        completed("UserMessage", content=[{"type": "text", "text": "go on"}]), completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]),
    ]  # fmt: skip
    assert told(*turns) == [("user", "go on"), ("assistant", "ok")] * 3


def test_an_imported_thread_whose_records_have_one_time_is_whole() -> None:
    """All at the moment of the import: time and text alone would make the two questions one."""
    turn = [
        user_item("Q1"),
        event("user_message", message="Q1"),
        event("agent_message", message="A1"),
        text_item("A1"),
    ]
    records = [at("2026-05-01T10:00:00.000Z", record) for record in (*turn, *turn)]
    events, _ = read(reader_of("codex"), [lines(*records)])
    assert brief(events) == [("user", "Q1"), ("assistant", "A1")] * 2
    assert len({one.event_id for one in events}) == 4
    again, _ = read(reader_of("codex"), [lines(record) for record in records])
    assert [one.event_id for one in again] == [one.event_id for one in events]


def test_a_log_that_is_rewritten_with_other_kinds_of_record_keeps_its_ids() -> None:
    """Codex can move an old log to the consolidated records: other records, other times, the same turns."""
    begun = event("task_started", turn_id="t1")
    old = [
        begun,
        user_item("hi"),
        event("user_message", message="hi"),
        event("agent_message", message="ok"),
        text_item("ok"),
    ]
    new = [
        begun,
        user_item("hi"),
        completed("UserMessage", content=[{"type": "text", "text": "hi"}]),
        text_item("ok"),
        completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]),
    ]
    ids = [[one.event_id for one in read(reader_of("codex"), [lines(*records)])[0]] for records in (old, new)]
    assert ids[0] == ids[1]


# --- Tools -------------------------------------------------------------------------------------------


def calls_and_results(*records: Json) -> list[tuple[str, str]]:
    """The tool of each result, and the result."""
    events, _ = read(reader_of("codex"), [lines(*records)])
    tools = {one.tool_call_id: one.name for one in events if isinstance(one, ToolCall)}
    return [(tools.get(one.tool_call_id, "?"), one.result) for one in events if isinstance(one, ToolResult)]


CHANGES = {
    "/w/a.py": {"type": "update", "unified_diff": "@@ -1 +1 @@\n-a\n+b\n"},
    "/w/b.py": {"type": "add", "content": "x\n"},
}


def test_a_patch_in_code_mode_has_its_call() -> None:
    script = item("custom_tool_call", name="exec", call_id="c1", input="await tools.apply_patch(…)")
    ended = item("custom_tool_call_output", call_id="c1", output="ok")
    fields = {"changes": CHANGES, "stdout": "Success.", "stderr": "", "status": "completed"}
    for patched in (event("patch_apply_end", call_id="exec-1", **fields), completed("FileChange", **fields)):
        assert calls_and_results(script, patched, ended) == [("apply_patch", "Success."), ("exec", "ok")]
        events, _ = read(reader_of("codex"), [lines(patched)])
        assert isinstance(events[0], ToolCall)
        assert events[0].description == "/w/a.py, /w/b.py"
        assert events[0].input == {"patch": "*** update: /w/a.py\n@@ -1 +1 @@\n-a\n+b\n*** add: /w/b.py\nx"}
    direct = item("custom_tool_call", name="apply_patch", call_id="i1", input="*** Begin Patch")
    assert told(direct, completed("FileChange", **fields)) == [
        ("call", "apply_patch"),
        ("result", "Success."),
    ]
    declined = completed("FileChange", changes=CHANGES, status="declined")
    assert calls_and_results(declined) == [("apply_patch", "[declined]")]


def test_outputs_without_a_call_id_are_kept() -> None:
    one = item("function_call", name="a", arguments="{}")
    output = item("function_call_output", output="first")
    assert calls_and_results(one, output) == [("a", "first")]
    other = item("function_call_output", output="second")
    assert calls_and_results(one, item("function_call", name="b", arguments="{}"), output, other, other) == [
        ("?", "first"),
        ("?", "second"),
        ("?", "second"),
    ]


def test_items_that_only_the_consolidated_records_have_are_emitted() -> None:
    records = [
        completed("Extension", kind="web.search", id="e1", query="kato", results=[{"type": "text_result", "text": "found"}]),
        completed("WebSearch", id="w1", query="hosted", action={"type": "search", "query": "hosted"}),
        item("web_search_call", id="w1", action={"type": "search", "query": "hosted"}),
        item("image_generation_call", id="g1", status="completed", revised_prompt="a cat", result="AAAA"),
        completed("ImageGeneration", id="g1", status="completed", revised_prompt="a cat", result="AAAA", saved_path="/w/x.png"),
        completed("DynamicToolCall", id="d1", namespace="ns", tool="do", arguments={"a": 1}, contentItems=[{"type": "inputText", "text": "done"}]),
        completed("FunctionCallOutput", id="f1", call_id="d2", output="late"),
        completed("HookPrompt", fragments=[{"text": "the hook says", "hookRunId": "h"}]),
        completed("EnteredReviewMode", review={"target": {}, "user_facing_hint": "current changes"}),
        completed("ImageView", path="/w/x.png"),
    ]  # fmt: skip
    events, problems = read(reader_of("codex"), [lines(*records)])
    assert problems == []
    assert brief(events) == [
        ("call", "web.search"), ("result", "found"), ("call", "web_search"), ("call", "image_generation"),
        ("result", "[image: /w/x.png]"), ("call", "ns.do"), ("result", "done"), ("result", "late"),
        ("info", "the hook says"), ("info", "current changes"),
    ]  # fmt: skip


def test_an_item_of_an_unknown_kind_is_kept_and_counted() -> None:
    events, problems = read(reader_of("codex"), [lines(completed("Novelty", text="words"))])
    assert [kind for kind, _ in brief(events)] == ["info"]
    assert [problem.detail for problem in problems] == ["item Novelty"]


@pytest.mark.parametrize(
    "record",
    [
        event("collab_agent_spawn_end", call_id="c1", new_thread_id="child"),
        event(
            "sub_agent_activity", event_id="c1", agent_thread_id="child", agent_path="/root/x", kind="started"
        ),
        completed(
            "CollabAgentToolCall", id="c1", tool="spawnAgent", receiverThreadIds=["child"], prompt="look"
        ),
        completed("SubAgentActivity", id="c1", kind="started", agentThreadId="child", agentPath="/root/x"),
    ],
)
def test_a_sub_agent_is_known_by_the_call_that_started_it(record: Json) -> None:
    reader = reader_of("codex")
    call = item("function_call", name="spawn_agent", call_id="c1", arguments="{}")
    told_first, _ = read(reader, [lines(call, record)])
    assert reader.started == {"child": "c1"}
    assert [one for one in brief(told_first) if one[0] == "call"] == [("call", "spawn_agent")]


def test_what_agents_do_later_starts_none() -> None:
    reader = reader_of("codex")
    later = [
        completed("CollabAgentToolCall", id="c2", tool="wait", receiverThreadIds=["child"]),
        event("sub_agent_activity", event_id="c3", agent_thread_id="child", kind="interacted"),
    ]
    read(reader, [lines(*later)])
    assert reader.started == {}


# --- Where a conversation comes from -----------------------------------------------------------------


def numbered(first: int, *records: Json) -> list[Json]:
    return [record | {"ordinal": number} for number, record in enumerate(records, start=first)]


def test_ordinals_say_where_a_copy_ends() -> None:
    moment = "2026-05-01T12:00:09.000Z"  # long after the fork
    meta = line("session_meta", id=FORK, forked_from_id="root", forked_from_ordinal_exclusive=3, cwd="/w")
    records = numbered(0, meta, event("user_message", message="::capture a.md"), text_item("x"), event("user_message", message="::capture b.md"))  # fmt: skip
    reader = reader_of("codex", session=FORK)
    events, _ = read(reader, [lines(*[at(moment, record) for record in records])])
    assert copied_of(reader, events) == {"::capture a.md": True, "::capture b.md": False}


def test_a_sub_agents_own_history_begins_at_its_ordinal() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1}}}
    meta = line("session_meta", id=FORK, cwd="/w", source=spawned, subagent_history_start_ordinal=3)
    records = numbered(0, meta, user_item("the parent's"), text_item("the parent's answer"), user_item("look\n::capture x.md"), text_item("I did"))  # fmt: skip
    events, _ = read(reader_of("codex", session=FORK), [lines(*records)])
    assert brief(events) == [("assistant", "look\n::capture x.md"), ("assistant", "I did")]


def test_a_fork_that_leaves_its_history_where_it_is_copies_nothing() -> None:
    base = {"thread_id": "root", "end_ordinal_exclusive": 67, "end_byte_offset": 9}
    meta = line(
        "session_meta", id=FORK, forked_from_id="root", forked_from_ordinal_exclusive=67, history_base=base
    )
    reader = reader_of("codex", session=FORK)
    events, _ = read(reader, [lines(*numbered(0, meta, event("user_message", message="::capture a.md")))])
    assert brief(events) == [
        ("info", "The conversation was forked from another one."),
        ("user", "::capture a.md"),
    ]
    assert copied_of(reader, events) == {"::capture a.md": False}


def test_a_thread_that_went_back_says_so() -> None:
    base = {"thread_id": "r1", "end_ordinal_exclusive": 7, "end_byte_offset": 9}
    meta = line("session_meta", id="s", history_base=base)
    events, _ = read(reader_of("codex"), [lines(meta, event("user_message", message="again"))])
    assert brief(events) == [("info", "The conversation went back to an earlier message."), ("user", "again")]
    assert isinstance(events[0], ProviderInfo)
    assert events[0].subtype == "rewind"


def test_the_folders_of_later_turns_are_known() -> None:
    reader = reader_of("codex")
    records = [
        line("session_meta", id="s", cwd="/w"),
        *(line("turn_context", turn_id="t", cwd=folder) for folder in ("/w", "/v", "/v")),
    ]
    read(reader, [lines(*records)])
    assert (reader.info.cwd, list(reader.folders)) == ("/w", ["/w", "/v"])


@pytest.mark.parametrize(
    "fields",
    [
        {"thread_source": "subagent"},
        {"thread_source": "guardian_review"},
        {"source": {"internal": "memory_consolidation"}},
    ],
)
def test_a_session_that_the_user_did_not_start_holds_no_words_of_the_users(fields: Json) -> None:
    meta = line("session_meta", id="s", cwd="/w") | {}
    meta["payload"] |= fields
    assert told(meta, event("user_message", message="go\n::stop")) == [("assistant", "go\n::stop")]


def test_a_mark_at_the_beginning_hides_no_parent() -> None:
    """Without its first record, a sub-agent's log would be a conversation of the user's."""
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p1", "agent_nickname": "Ada"}}}
    meta = line("session_meta", id="s", cwd="/w", source=spawned)
    reader = reader_of("codex")
    events, problems = read(
        reader, [codecs.BOM_UTF8 + lines(meta, event("user_message", message="do it\n::stop"))]
    )
    assert (brief(events), problems) == ([("assistant", "do it\n::stop")], [])
    assert reader.info.parent_id == "p1"
