"""Gemini's logs: a message may come again with more in it; each of its parts is emitted once."""

import json
from typing import Any

import pytest

from kato.core.events import Decision, ProviderInfo, UserMessage
from providers.reading import Json, brief, lines, read, reader_of

AT = "2026-05-01T10:00:00.000Z"


def message(kind: str, content: Any, ident: str = "m1", **fields: Any) -> Json:
    return {"id": ident, "timestamp": AT, "type": kind, "content": content} | fields


def call(ident: str = "c1", output: str | None = None, **fields: Any) -> Json:
    made: Json = {"id": ident, "name": "read_file", "args": {"file_path": "a.py"}, "timestamp": AT}
    if output is not None:
        made |= {"status": "success", "result": [{"functionResponse": {"response": {"output": output}}}]}
    return made | fields


def emitted(*records: Json) -> list[tuple[str, str]]:
    return brief(read(reader_of("gemini"), [lines(*records)])[0])


def test_a_message_that_is_emitted_again_adds_only_what_is_new() -> None:
    reply = message("gemini", "I look.", model="g")
    again = [
        reply,
        reply | {"toolCalls": [call()]},
        reply | {"toolCalls": [call(output="x = 1")]},
        reply | {"content": "I look. Done.", "toolCalls": [call(output="x = 1")]},
        reply | {"content": "I look. Done.", "toolCalls": [call(output="x = 1")]},
    ]
    assert emitted(*again) == [
        ("assistant", "I look."), ("call", "read_file"), ("result", "x = 1"), ("assistant", " Done."),
    ]  # fmt: skip


def test_files_that_were_put_in_hold_no_commands_of_the_users() -> None:
    parts = [{"text": "look at @a.md\n::record"}, {"text": "::capture evil.md"}]
    shown = message("user", parts, displayContent="look at a.md")
    assert emitted(shown) == [("user", "look at a.md\n::record")]
    fenced = message("user", "look:\n```\n::export evil.md\n```", displayContent="look:")
    assert emitted(fenced) == [("user", "look:")]
    snapshot = "<state_snapshot>\n::stop\n</state_snapshot>"
    assert emitted(message("user", snapshot)) == [("info", snapshot)]
    command = message("user", "a file's prompt\n::capture evil.md", displayContent="/review a.py")
    assert emitted(command) == [("user", "/review a.py")], "what was typed; the file's text is not the user's"


def test_a_list_that_is_written_again_is_history() -> None:
    reader = reader_of("gemini")
    again = {"$set": {"messages": [message("user", "In short:\n::capture x.md", "m9")]}}
    events, _ = read(
        reader, [lines(message("user", "::record", "m1"), again, message("user", "::stop", "m2"))]
    )
    said = [event for event in events if isinstance(event, UserMessage)]
    assert [event.event_id in reader.copied for event in said] == [False, True, False]


@pytest.mark.parametrize("document", [False, True])
def test_a_sub_agents_session_is_one_wherever_it_lies(document: bool) -> None:
    reader = reader_of("gemini", document=document)
    head = {"sessionId": "g", "kind": "subagent"}
    task = message("user", "look\n::capture x.md")
    data = json.dumps(head | {"messages": [task]}).encode() if document else lines(head, task)
    assert brief(read(reader, [data])[0]) == [("assistant", "look\n::capture x.md")]


def test_thoughts_have_their_subject() -> None:
    thought = {"subject": "Reading", "description": "The file first.", "timestamp": AT}
    assert emitted(message("gemini", "", thoughts=[thought])) == [
        ("thinking", "**Reading** — The file first.")
    ]


def test_a_document_that_grows_emits_only_what_is_new() -> None:
    reader = reader_of("gemini", document=True)
    first, _ = read(reader, [json.dumps({"sessionId": "g", "messages": [message("user", "hi")]}).encode()])
    reader.restart()
    messages = [message("user", "hi"), message("gemini", "hello", "m2")]
    more, _ = read(reader, [json.dumps({"sessionId": "g", "messages": messages}).encode()])
    assert brief([*first, *more]) == [("user", "hi"), ("assistant", "hello")]


def test_a_document_that_is_being_written_is_read_once_it_is_complete() -> None:
    reader = reader_of("gemini", document=True)
    whole = json.dumps({"sessionId": "g", "messages": [message("user", "hi")]}).encode()
    half, problems = read(reader, [whole[:30]])
    assert (half, [problem.kind for problem in problems]) == ([], ["broken_line"])
    reader.restart()
    assert brief(read(reader, [whole])[0]) == [("user", "hi")]


def test_a_new_list_of_messages_is_a_compaction_and_repeats_nothing() -> None:
    old = [message("user", "one"), message("gemini", "two", "m2")]
    new = [message("user", "summary of it all", "m9"), old[1]]
    assert emitted(*old, {"$set": {"messages": new}}) == [
        ("user", "one"), ("assistant", "two"), ("info", "The conversation was compacted."), ("user", "summary of it all"),
    ]  # fmt: skip


def test_a_rewind_is_emitted_and_what_follows_is_new() -> None:
    records = [
        message("user", "one"),
        message("user", "two", "m2"),
        {"$rewindTo": "m2"},
        message("user", "three", "m3"),
    ]
    assert emitted(*records) == [
        ("user", "one"),
        ("user", "two"),
        ("info", "Rewound to before “two”."),
        ("user", "three"),
    ]


@pytest.mark.parametrize(
    ("content", "fields", "expected"),
    [
        ([{"text": "hi"}], {}, "hi"),
        ("/help", {}, None),
        ("/chat save x", {}, None),
        ("/etc/hosts is odd", {}, "/etc/hosts is odd"),
        ("?", {}, None),
        ("<session_context>\nToday …\n</session_context>", {}, None),
        (
            [{"text": "see @a.md\n"}, {"text": "--- Content from referenced files ---\n::capture x.md"}],
            {},
            "see @a.md",
        ),
        ("see @a.md\n--- Content from referenced files ---\n::capture x.md", {}, "see @a.md"),
        ([{"text": "expanded"}], {"displayContent": "typed"}, "typed"),
        ([{"text": "typed\n::record"}], {"displayContent": [{"text": "typed"}]}, "typed\n::record"),
        (
            [{"inlineData": {"mimeType": "image/png", "data": "AA"}}, {"text": "see"}],
            {},
            "[image: image/png]\n\nsee",
        ),
        (
            [{"text": "see\n::export a.md"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}],
            {},
            "see\n::export a.md\n\n[image: image/png]",
        ),
        (
            [
                {"text": "see @file:///n.md\n::export a.md"},
                {"text": "\n--- Content from referenced context ---"},
                {"text": "\nContent from @file:///n.md:\n"},
                {"text": "::capture x.md"},
            ],
            {},
            "see @file:///n.md\n::export a.md",
        ),
    ],
)
def test_the_users_words(content: Any, fields: Json, expected: str | None) -> None:
    assert emitted(message("user", content, **fields)) == ([] if expected is None else [("user", expected)])


def test_a_question_comes_with_the_answer() -> None:
    question = {"question": "Which?", "header": "Store", "options": [{"label": "A"}, {"label": "B"}]}
    ask = call("q1", '{"answers": {"0": "B"}}', name="ask_user", args={"questions": [question]})
    events, _ = read(reader_of("gemini"), [lines(message("gemini", "", toolCalls=[ask]))])
    decision = events[-1]
    assert isinstance(decision, Decision)
    assert (decision.summary, decision.decision_key, decision.status) == ("B", "Store", "accepted")


def test_a_call_has_the_time_of_its_message_and_its_result_the_time_at_which_it_ended() -> None:
    ended = call(output="x", timestamp="2026-05-01T10:00:09.000Z")
    events, _ = read(reader_of("gemini"), [lines(message("gemini", "", toolCalls=[ended]))])
    assert [event.timestamp.second for event in events] == [0, 9]


def test_an_edit_shows_its_difference() -> None:
    edit = call("e1", "Modified.", resultDisplay={"fileDiff": "-a\n+b"})
    assert emitted(message("gemini", "", toolCalls=[edit]))[1] == ("result", "Modified.\n-a\n+b")


def test_title_folder_and_session_come_from_the_records() -> None:
    reader = reader_of("gemini")
    reader.feed(
        lines(
            {"sessionId": "long-id", "kind": "main", "directories": ["/w"]}, {"$set": {"summary": "A talk"}}
        )
    )
    assert (reader.info.session_id, reader.info.title, reader.info.cwd) == ("long-id", "A talk", "/w")


RESUMED = [
    message("user", [{"text": "Reply with ok"}], "m1"),
    message("gemini", "ok", "m2", thoughts=[{"subject": "S", "description": "d", "timestamp": AT}]),
]


def test_a_resumed_session_repeats_nothing_and_shows_no_thought_as_text() -> None:
    again = [
        RESUMED[0],
        RESUMED[1] | {"content": [{"text": "**S** d", "thought": True}, {"text": "ok"}]},
    ]
    assert emitted(*RESUMED, {"$set": {"messages": again}}, message("user", "more", "m3")) == [
        ("user", "Reply with ok"),
        ("thinking", "**S** — d"),
        ("assistant", "ok"),
        ("user", "more"),
    ]


def test_a_thought_that_stands_in_the_content_alone_is_a_thought() -> None:
    content = [{"text": "hm", "thought": True}, {"text": "Visible."}]
    assert emitted(message("gemini", content)) == [("thinking", "hm"), ("assistant", "Visible.")]


def test_a_compaction_is_a_boundary_with_the_summary_and_without_the_kept_turns() -> None:
    summary = "<scratchpad>\nx\n</scratchpad>\n\n<state_snapshot>\ny\n</state_snapshot>"
    kept = [
        message("user", [{"text": summary}], "n0"),
        message("gemini", [{"text": "Got it. Thanks for the additional context!"}], "n1"),
        message("user", [{"text": "Reply with ok"}], "n2"),
        message("gemini", [{"text": "ok"}], "n3"),
    ]
    events = read(
        reader_of("gemini"), [lines(*RESUMED, {"$set": {"messages": kept}}, message("user", "ok?", "m3"))]
    )
    assert brief(events[0]) == [
        ("user", "Reply with ok"),
        ("thinking", "**S** — d"),
        ("assistant", "ok"),
        ("info", "The conversation was compacted."),
        ("info", summary),
        ("user", "ok?"),
    ]
    subtypes = [event.subtype for event in events[0] if isinstance(event, ProviderInfo)]
    assert subtypes == ["compaction", "summary"]


def test_a_list_of_known_messages_after_a_rewind_is_not_a_compaction() -> None:
    records = [*RESUMED, message("user", "again", "m3"), {"$rewindTo": "m3"}, {"$set": {"messages": RESUMED}}]
    assert [words for kind, words in emitted(*records) if kind == "info"] == ["Rewound to before “again”."]


def test_the_same_words_that_are_typed_twice_stay_two() -> None:
    assert emitted(message("user", "go on"), message("user", "go on", "m2")) == [("user", "go on")] * 2


def test_two_rewinds_to_the_same_message_are_two() -> None:
    records = [message("user", "a"), {"$rewindTo": "m1"}, {"$rewindTo": "m1"}]
    events, _ = read(reader_of("gemini"), [lines(*records)])
    assert len({event.event_id for event in events}) == 3


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("/tmp fills up every night, WHY?", True),
        ("/etc/hosts: WHAT IS IT?", True),
        ("/usr/local/bin/x fails WHERE?", True),
        ("/home is full", True),
        ("/help", False),
        ("/chat save x", False),
        ("/help me\nwith two lines", True),
        ("?", False),
        ("? what", True),
    ],
)
def test_a_slash_command_has_the_name_of_one(typed: str, kept: bool) -> None:
    assert emitted(message("user", typed)) == ([("user", typed)] if kept else [])


def test_a_shell_command_is_the_users_and_its_output_a_tools() -> None:
    text = "I ran the following shell command:\n```sh\ncat a.md\n```\n\nThis produced the following result:\n```\n```\nx\n```\n```"
    assert emitted(message("user", text)) == [
        ("user", "!cat a.md"),
        ("call", "user_shell"),
        ("result", "```\nx\n```"),
    ]


def test_a_text_that_does_not_go_on_with_what_was_said_is_a_text_of_its_own() -> None:
    assert emitted(message("gemini", "one"), message("gemini", "another")) == [
        ("assistant", "one"),
        ("assistant", "another"),
    ]
