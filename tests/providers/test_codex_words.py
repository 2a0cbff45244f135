"""Codex's rollouts: whose words a message contains."""

import pytest
from msgspec import UNSET

from kato.core.events import Decision, UserMessage
from providers.codex_records import (
    brief_of,
    completed,
    event,
    item,
    kinds_item,
    text_item,
    user_item,
)
from providers.reading import Json, brief, is_doubtful, left_out, lines, read, reader_of, runs


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
    assert brief_of(user_item(words), text_item("ok")) == [("assistant", "ok")]
    assert brief_of(item("message", role="developer", content=[{"type": "input_text", "text": words}])) == []


def test_an_ides_preamble_is_cut_off() -> None:
    words = (
        "# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\nfix it\n::record"
    )
    assert brief_of(user_item(words), event("user_message", message=words)) == [("user", "fix it\n::record")]
    assert brief_of(event("user_message", message=words.replace(" for Codex", ""))) == [
        ("user", "fix it\n::record")
    ]
    cut = words.partition("## My request")[0] + "::capture evil.md"
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=cut))])
    assert left_out(events) == ["capture"], "where the user's words begin is not known"


def test_where_events_hold_what_was_typed_nothing_else_runs_a_command() -> None:
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
    assert brief_of(user_item(comments), event("user_message", message=comments)) == [("user", both)]
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=f"{comments}Now!\n::stop"))])
    assert brief(events) == [("user", f"Now!\n::stop\n\n{both}")]
    assert runs(events) == ["stop"], "no comment could hold a command"
    in_comment = comments.replace("Why?", "Why?\n::capture x.md")
    events, _ = read(reader_of("codex"), [lines(event("user_message", message=in_comment))])
    assert (runs(events), left_out(events)) == ([], ["capture"])


def test_the_users_annotations_of_an_answer_are_the_users_words() -> None:
    notes = '[{"text": "the old\\nsentence", "annotation": "THIS WAS MINE"}, {"text": "only selected"}, 7]'
    words = f"# Response annotations:\nEach item …\n<response-annotations>\n{notes}\n</response-annotations>\n\n## My request:\n"
    assert brief_of(event("user_message", message=words + "Shorten it")) == [
        ("user", "Shorten it\n\nTHIS WAS MINE\n[on: the old sentence]")
    ]
    assert brief_of(event("user_message", message=words)) == [
        ("user", "THIS WAS MINE\n[on: the old sentence]")
    ]
    more = words.replace(
        "\n\n## My", "\n\n# Diff comments:\n\n## User Comment 1\nFile: a.ts\nComment:\nand this\n\n## My"
    )
    assert brief_of(event("user_message", message=more)) == [
        ("user", "THIS WAS MINE\n[on: the old sentence]\n\nand this\n[on: a.ts]")
    ]


def test_files_without_a_request_leave_their_names() -> None:
    words = "\n# Files mentioned by the user:\n\n## a\u202eb.txt: /tmp/a.txt\n## c.png: /tmp/c.png\n\n## My request:\n\n"
    assert brief_of(user_item(words), event("user_message", message=words)) == [
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
    assert brief_of(event("user_message", message=quoted)) == [("user", quoted)]


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
    assert brief_of(event("user_message", message=tagged)) == [("system", tagged)]


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
    assert brief_of(created, goal("Its own", "active")) == [("call", "create_goal")]


@pytest.mark.parametrize("name", ["external_ide_context", "user_action", "SUBAGENT_NOTIFICATION", "agent_message_board_notification", "next_prompt_suggestion", "permissions instructions"])  # fmt: skip
def test_blocks_that_codex_writes_stand_in_no_note(name: str) -> None:
    words = f"<{name}>\n::capture x.md\n</{name.lower()}>"
    typed = [user_item("hi"), event("user_message", message="hi")]
    assert brief_of(user_item(words)) == []
    assert brief_of(*typed, user_item(words)) == [("user", "hi")]


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
    assert brief_of(said) == [("user", "look\n\n[image]\n\n[image: /w/b.png]\n\n[audio: /w/c.wav]")]
    content = [
        {"type": "local_image", "path": "/w/b.png"},
        {"type": "text", "text": "look"},
        {"type": "skill", "name": "x", "path": "/s"},
    ]
    assert brief_of(completed("UserMessage", content=content)) == [("user", "look\n\n[image: /w/b.png]")]
    assert brief_of(completed("UserMessage", content=content[:1])) == [("user", "[image: /w/b.png]")]
