"""The protocol's state machine: messages of both sides in, what happened in which session out."""

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from msgspec import UNSET, to_builtins

from channels.agents import (
    SESSION,
    Json,
    answer,
    call,
    failure,
    notification,
    prompt,
    repeats,
    request,
    says,
    text,
    thinks,
    update,
)
from kato.channels.acp import names
from kato.channels.acp.conversation import Closed, Conversation, Ended, Happening, Opened, Said
from kato.channels.acp.frames import AGENT, CLIENT
from kato.channels.acp.tool_calls import changed_part
from kato.core import limits
from kato.core.events import ConversationEvent, UserMessage

ASSISTANTS = ("claude", "codex", "gemini", "copilot")
NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


def conversation(*command: str) -> Conversation:
    return Conversation(command or ("toy",), "run", now=lambda: NOW, assistants=ASSISTANTS)


#: The beginning of every conversation: the client is at the left, the agent at the right.
START: list[tuple[int, Json]] = [
    (CLIENT, request(0, "initialize", protocolVersion=1, clientCapabilities={})),
    (AGENT, answer(0, protocolVersion=1, agentInfo={"name": "toy-agent", "title": "Toy"})),
    (CLIENT, request(1, "session/new", cwd="/work", mcpServers=[])),
    (AGENT, answer(1, sessionId=SESSION)),
]
END = (AGENT, answer(2, stopReason="end_turn"))


def from_agent(*messages: Json) -> list[tuple[int, Json]]:
    return [(AGENT, one) for one in messages]


def play(*messages: tuple[int, Json], start: Sequence[tuple[int, Json]] = START) -> list[Happening]:
    """What happened after the start."""
    machine = conversation()
    for side, message in start:
        machine.take(side, message)
    happened = [one for side, message in messages for one in machine.take(side, message)]
    assert machine.problems == {}
    return happened


def events(happened: Sequence[Happening], *, is_history: bool = False) -> list[ConversationEvent]:
    return [
        event
        for one in happened
        if isinstance(one, Said) and one.is_history == is_history
        for event in one.events
    ]


def brief(found: Sequence[ConversationEvent]) -> list[tuple[Any, ...]]:
    """Kind and what it says, for comparison."""
    fields = {
        "message.user": ("content",),
        "message.assistant": ("content", "phase"),
        "thinking": ("content",),
        "tool.call": ("name", "input"),
        "tool.result": ("result", "outcome"),
        "provider.info": ("subtype", "content"),
    }
    plain = [to_builtins(one) for one in found]
    return [(one["kind"], *(one.get(name) for name in fields[one["kind"]])) for one in plain]


def turn(*messages: Json) -> list[tuple[Any, ...]]:
    """What a turn becomes, without the user's message."""
    found = events(play((CLIENT, prompt(2, "go")), *from_agent(*messages), END))
    assert brief(found[:1]) == [("message.user", "go")]
    return brief(found[1:])


# --- Sessions ---------------------------------------------------------------------------------------------


def opened(*messages: tuple[int, Json]) -> list[Happening]:
    return play(*messages, start=START[:2])


@pytest.mark.parametrize(
    ("method", "result", "session"),
    [
        ("session/new", {"sessionId": "a"}, "a"),
        ("session/resume", {}, "given"),
        ("session/load", {}, "given"),
    ],
)
def test_a_session_begins_with_its_folders(method: str, result: Json, session: str) -> None:
    asked = request(
        5, method, sessionId="given", cwd="/work", additionalDirectories=["/more", 3], mcpServers=[]
    )
    happened = opened((CLIENT, asked), (AGENT, answer(5, **result)))
    assert happened == [Opened(session, ("/work", "/more"))]


@pytest.mark.parametrize("method", ["session/new", "session/resume", "session/fork"])
def test_a_request_that_fails_begins_nothing(method: str) -> None:
    assert opened((CLIENT, request(5, method, sessionId="s", cwd="/work")), (AGENT, failure(5, "no"))) == []


def test_a_fork_is_a_session_of_its_own_that_says_where_it_comes_from() -> None:
    asked = request(5, "session/fork", sessionId=SESSION, cwd="/work")
    first, second = play((CLIENT, asked), (AGENT, answer(5, sessionId="fork")))
    assert first == Opened("fork", ("/work",))
    assert brief(events([second])) == [
        ("provider.info", "forked", "The conversation was forked from session-1.")
    ]


def test_closing_a_session_completes_it() -> None:
    happened = play(
        (CLIENT, prompt(2, "go")),
        *from_agent(says("half")),
        (CLIENT, request(3, "session/close", sessionId=SESSION)),
    )
    assert brief(events(happened)) == [("message.user", "go"), ("message.assistant", "half", "final")]
    assert happened[-2:] == [Ended(SESSION), Closed(SESSION)]


def test_a_session_whose_beginning_kato_did_not_see_begins_with_its_first_message() -> None:
    happened = opened((CLIENT, prompt(2, "go", session="other")))
    assert happened[0] == Opened("other", ())
    assert brief(events(happened)) == [("message.user", "go")]


def test_the_title_comes_from_the_agent() -> None:
    (said,) = play(*from_agent(update("session_info_update", title="A\n title", updatedAt=None)))
    assert said == Said(SESSION, (), title="A title")


def test_two_sessions_do_not_mix() -> None:
    happened = play(
        (CLIENT, request(8, "session/new", cwd="/b")),
        (AGENT, answer(8, sessionId="b")),
        (CLIENT, prompt(2, "one")),
        (CLIENT, prompt(3, "two", session="b")),
        *from_agent(
            says("1"),
            says("2", session="b"),
            answer(2, stopReason="end_turn"),
            answer(3, stopReason="end_turn"),
        ),
    )
    found = [(one.session_id, *brief([one])[0][1:2]) for one in events(happened)]
    assert found == [(SESSION, "one"), ("b", "two"), (SESSION, "1"), ("b", "2")]


# --- Prompts ----------------------------------------------------------------------------------------------

LINK = {"type": "resource_link", "name": "a.py", "uri": "file:///work/src/a%20b.py"}
FILE = {"type": "resource", "resource": {"uri": "file:///else/n.md", "text": "::capture evil.md"}}
PICTURE = {"type": "image", "mimeType": "image/png", "data": "aGk="}


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        (["Hello\n  ::capture a.md \n"], "Hello\n  ::capture a.md \n"),
        (["one", "two"], "onetwo"),
        (["look at ", LINK, " please"], "look at @src/a b.py please"),
        (["::capture ", {**LINK, "uri": "file:///work/n.md"}], "::capture @n.md"),
        ([LINK, "\nwhy?"], "\nwhy?\n\n[file: src/a b.py]"),
        (["read\n", FILE], "read\n\n\n[file: /else/n.md]"),
        (["what is ", PICTURE], "what is \n\n[image: image/png]"),
        (
            [{"type": "resource_link", "name": "x\n::capture evil.md", "uri": "https://x"}],
            "[file: x\\n::capture evil.md]",
        ),
        ([{"type": "audio", "mimeType": "audio/wav", "data": ""}], "[audio: audio/wav]"),
        ([{"type": "text", "text": 3}, 7, {"type": "later"}, "x"], "x"),
    ],
)
def test_a_prompt_is_its_text_exactly_and_the_names_of_what_is_attached(
    blocks: list[Any], content: str
) -> None:
    (event,) = events(play((CLIENT, prompt(2, *blocks))))
    assert isinstance(event, UserMessage)
    assert event.content == content
    assert event.doubt is UNSET
    assert "evil" not in content or "\n::" not in content


@pytest.mark.parametrize("blocks", [[], [""], [{"type": "text"}], "no list", None])
def test_an_empty_prompt_is_not_a_message(blocks: Any) -> None:
    assert play((CLIENT, request(2, "session/prompt", sessionId=SESSION, prompt=blocks))) == []


def test_a_block_of_tags_in_a_prompt_leaves_its_commands_in_doubt() -> None:
    (event,) = events(play((CLIENT, prompt(2, "<file>\n::capture a.md\n</file>\nWhy?"))))
    assert isinstance(event, UserMessage)
    assert event.doubt is not UNSET


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("end_turn", []),
        ("cancelled", [("provider.info", "interruption", "The user cancelled the turn.")]),
        (
            "refusal",
            [("provider.info", "interruption", "The turn ended early: the agent refused to go on.")],
        ),
        (
            "max_tokens",
            [
                (
                    "provider.info",
                    "interruption",
                    "The turn ended early: the agent reached its limit of tokens.",
                )
            ],
        ),
        ("a later one", []),
    ],
)
def test_the_result_of_a_prompt_ends_the_turn(reason: str, shown: list[Any]) -> None:
    happened = play((CLIENT, prompt(2, "go")), *from_agent(says("so"), answer(2, stopReason=reason)))
    assert brief(events(happened))[1:] == [("message.assistant", "so", "final"), *shown]
    assert happened[-1] == Ended(SESSION)


@pytest.mark.parametrize(
    ("message", "shown"), [("no\ncredit.", "no credit"), ("", "no reason given"), (None, "no reason given")]
)
def test_a_prompt_that_fails_ends_the_turn(message: Any, shown: str) -> None:
    happened = play((CLIENT, prompt(2, "go")), *from_agent(failure(2, message)))
    sentence = f"The turn ended early: the agent failed ({shown})."
    assert brief(events(happened))[1:] == [("provider.info", "interruption", sentence)]
    assert happened[-1] == Ended(SESSION)


def test_a_connection_that_closes_before_the_answer_cuts_the_turn_off() -> None:
    machine = conversation()
    for side, message in (*START, (CLIENT, prompt(2, "go")), (AGENT, says("I be"))):
        machine.take(side, message)
    happened = machine.end()
    assert brief(events(happened)) == [
        ("message.assistant", "I be", "final"),
        ("provider.info", "interruption", "The turn ended early: the connection to the agent closed."),
    ]
    assert happened[-1] == Ended(SESSION)


def test_ids_of_both_sides_and_of_several_types_are_different_ids() -> None:
    happened = play(
        (CLIENT, prompt("2", "go")),
        (AGENT, request(2, "fs/read_text_file", sessionId=SESSION, path="/work/a")),
        (CLIENT, answer(2, content="x")),
        (AGENT, says("so")),
        (AGENT, answer("2", stopReason="end_turn")),
    )
    assert [type(one) for one in happened] == [Said, Said, Ended]


# --- What the agent says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([says("a"), says("b")], [("ab", "final")]),
        ([says("a", "1"), says("b", "1"), says("c", "2")], [("ab", "commentary"), ("c", "final")]),
        ([says("a"), thinks("hm"), says("b")], [("a", "commentary"), ("hm", None), ("b", "final")]),
        ([says("a"), thinks("hm")], [("a", "final"), ("hm", None)]),
        ([thinks("h"), thinks("m")], [("hm", None)]),
        ([says(" "), says("\n")], []),
        ([repeats("go"), says("a")], [("a", "final")]),
        ([update("agent_message_chunk", content=PICTURE)], [("[image: image/png]", "final")]),
        (
            [says("See:"), update("agent_message_chunk", content=PICTURE), says("So.")],
            [("See:\n\n[image: image/png]\n\nSo.", "final")],
        ),
        ([update("agent_message_chunk", content=None), says("a")], [("a", "final")]),
    ],
)
def test_chunks_become_messages(chunks: list[Json], expected: list[tuple[str, str | None]]) -> None:
    assert [(one[1], one[2] if one[0] == "message.assistant" else None) for one in turn(*chunks)] == expected


def test_what_the_user_said_outside_a_prompt_is_doubtful() -> None:
    happened = play(*from_agent(repeats("::capture a.md"), says("so"), repeats("x")))
    (first, *_) = events(happened)
    assert isinstance(first, UserMessage)
    assert first.doubt is not UNSET


def test_a_long_message_is_bounded() -> None:
    machine = conversation()
    for side, message in [*START, (CLIENT, prompt(2, "go"))]:
        machine.take(side, message)
    for _ in range(3):
        machine.take(AGENT, says("x" * (limits.ACP_TEXT_CHARS_MAX // 2)))
    found = events(machine.take(*END))
    assert [len(one.content) for one in found if hasattr(one, "content")] == [limits.ACP_TEXT_CHARS_MAX]
    assert machine.problems == {"long message": 1}


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        (
            [update("plan", entries=[{"content": "a", "priority": "high", "status": "completed"}])] * 2,
            [
                ("tool.call", "TodoWrite", {"todos": [{"content": "a", "status": "completed"}]}),
                ("tool.result", "", "ok"),
            ],
        ),
        ([update("plan", entries=[])], []),
        (
            [update("usage_update", used=1, size=9), update("usage_update", used=2, size=9)],
            [("provider.info", "usage", '{"used":2,"size":9}')],
        ),
        (
            [
                update("compaction_update", status="in_progress"),
                update("compaction_update", status="completed"),
            ],
            [("provider.info", "compaction", "The conversation was compacted.")],
        ),
        (
            [
                update("compaction_summary_chunk", content=text("a")),
                update("compaction_summary_chunk", content=text("b")),
            ],
            [("provider.info", "compaction_summary", "ab")],
        ),
        (
            [update("notice", severity="warning", title="MCP", description="is away")],
            [("provider.info", "notice", "MCP: is away")],
        ),
        ([update("available_commands_update", availableCommands=[])], []),
        ([update("current_mode_update", currentModeId="x")], []),
        ([update("config_option_update", configOptions=[])], []),
    ],
)
def test_the_other_updates(updates: list[Json], expected: list[Any]) -> None:
    assert turn(*updates) == expected


def test_an_update_of_an_unknown_kind_is_counted() -> None:
    machine = conversation()
    for side, message in [*START, *from_agent(update("brand_new"), update("brand_new"), says("a"))]:
        machine.take(side, message)
    assert machine.problems == {"unknown session update brand_new": 2}


# --- Tool calls -------------------------------------------------------------------------------------------

OLD, NEW = "a\nb\n", "a\nc\n"


def diff(path: str, old: str | None, new: str) -> Json:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


def content(words: str) -> Json:
    return {"type": "content", "content": text(words)}


@pytest.mark.parametrize(
    ("fields", "name", "given"),
    [
        (
            {"content": [diff("/a", OLD, NEW)]},
            "Edit",
            {"file_path": "/a", "old_string": OLD, "new_string": NEW},
        ),
        ({"content": [diff("/a", None, NEW)]}, "Write", {"file_path": "/a", "content": NEW}),
        (
            {"content": [diff("/a", OLD, NEW), diff("/b", None, "x")]},
            "MultiEdit",
            {
                "edits": [
                    {"file_path": "/a", "old_string": OLD, "new_string": NEW},
                    {"file_path": "/b", "old_string": "", "new_string": "x"},
                ]
            },
        ),
        ({"kind": "execute", "title": "`npm test`"}, "shell", {"command": "npm test"}),
        (
            {"kind": "execute", "title": "t", "rawInput": {"command": ["ls", "-l"]}},
            "shell",
            {"command": ["ls", "-l"]},
        ),
        ({"name": "Bash", "title": "t", "rawInput": {"command": "ls"}}, "Bash", {"command": "ls"}),
        (
            {"kind": "read", "title": "Read a", "locations": [{"path": "/a", "line": 7}]},
            "read_file",
            {"file_path": "/a", "start_line": 7},
        ),
        ({"kind": "search", "rawInput": {"pattern": "x"}}, "grep_search", {"pattern": "x"}),
        ({"kind": "fetch", "rawInput": {"url": "https://x"}}, "fetch", {"url": "https://x"}),
        ({"kind": "think", "title": "Think\nhard"}, "Think hard", {}),
        ({"name": "weather", "rawInput": {"city": "Rome"}}, "weather", {"city": "Rome"}),
        ({}, "tool", {}),
    ],
)
def test_a_tool_call_is_named_as_kato_knows_it(fields: Json, name: str, given: Json) -> None:
    found = turn(call("c", "in_progress", **fields), call("c", "completed", more=True))
    assert found[0] == ("tool.call", name, given)
    assert found[1][0] == "tool.result"


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"status": "completed", "content": [content("a"), content("b")]}, ("a\nb", "ok")),
        ({"status": "failed", "content": [content("no")]}, ("no", "error")),
        ({"status": "completed", "rawOutput": {"stdout": "out", "exit_code": 0}}, ("out", "ok")),
        ({"status": "completed", "rawOutput": "out"}, ("out", "ok")),
        ({"status": "completed", "content": [diff("/a", OLD, NEW)], "rawOutput": {"x": 1}}, ("", "ok")),
        ({"status": "completed"}, ("", "ok")),
    ],
)
def test_the_result_of_a_tool_call(fields: Json, result: tuple[str, str]) -> None:
    found = turn(call("c", "pending", title="t"), call("c", more=True, **fields))
    assert found[1] == ("tool.result", *result)


def test_parts_of_a_call_are_joined_and_null_changes_nothing() -> None:
    found = turn(
        call("c", "pending", title="t", kind="execute", rawInput={}),
        call("c", more=True, title=None, rawInput={"command": "ls"}),
        call("c", "completed", more=True, content=[content("x")]),
        call("c", "completed", more=True, content=[content("late")]),
    )
    assert found == [("tool.call", "shell", {"command": "ls"}), ("tool.result", "x", "ok")]


def test_the_message_before_a_call_is_commentary_and_comes_first() -> None:
    found = turn(says("Look."), call("c", "completed", title="t"), says("Done."))
    assert [one[0] for one in found] == ["message.assistant", "tool.call", "tool.result", "message.assistant"]
    assert [one[2] for one in found if one[0] == "message.assistant"] == ["commentary", "final"]


def test_a_call_that_the_turns_end_interrupted_has_no_result() -> None:
    assert turn(call("c", "in_progress", title="t")) == [("tool.call", "t", {})]


def asks(call_id: str) -> Json:
    options = [
        {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
        {"optionId": "never", "name": "Never", "kind": "reject_always"},
    ]
    return request(
        "p",
        "session/request_permission",
        sessionId=SESSION,
        toolCall={"toolCallId": call_id, "title": "rm -r /", "kind": "execute"},
        options=options,
    )


@pytest.mark.parametrize(
    ("outcome", "status", "shown"),
    [
        ({"outcome": "selected", "optionId": "yes"}, "completed", "ok"),
        ({"outcome": "selected", "optionId": "never"}, "failed", "denied"),
        ({"outcome": "selected", "optionId": "never"}, None, "denied"),
        ({"outcome": "cancelled"}, None, None),
        ({"outcome": "selected", "optionId": "unknown"}, "failed", "error"),
        ("garbage", "failed", "error"),
    ],
)
def test_a_call_that_the_user_denied_is_shown_as_denied(
    outcome: Any, status: str | None, shown: str | None
) -> None:
    ended = [] if status is None else from_agent(call("c", status, more=True))
    found = brief(
        events(
            play(
                (CLIENT, prompt(2, "go")),
                (AGENT, asks("c")),
                (CLIENT, answer("p", outcome=outcome)),
                *ended,
                END,
            )
        )
    )[1:]
    assert found[0] == ("tool.call", "shell", {"command": "rm -r /"})
    assert [one[2] for one in found[1:]] == ([] if shown is None else [shown])


def test_a_terminal_gives_a_call_its_command_output_and_exit_code() -> None:
    happened = play(
        (CLIENT, prompt(2, "go")),
        (AGENT, request("t", "terminal/create", sessionId=SESSION, command="make", args=["test"])),
        (CLIENT, answer("t", terminalId="term-1")),
        (
            AGENT,
            call(
                "c",
                "in_progress",
                kind="execute",
                title="t",
                content=[{"type": "terminal", "terminalId": "term-1"}],
            ),
        ),
        (AGENT, request("w", "terminal/wait_for_exit", sessionId=SESSION, terminalId="term-1")),
        (CLIENT, answer("w", exitCode=2, signal=None)),
        (AGENT, request("o", "terminal/output", sessionId=SESSION, terminalId="term-1")),
        (CLIENT, answer("o", output="1 failed", truncated=False, exitStatus={"exitCode": 2})),
        (AGENT, call("c", "failed", more=True)),
    )
    *_, ran, result = [to_builtins(one) for one in events(happened)]
    assert ran["input"] == {"command": "make test"}
    assert (result["result"], result["outcome"], result["exitCode"]) == ("1 failed", "error", 2)


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        ("", "a", "", "a"),
        ("a\n", "", "a\n", ""),
        (
            "1\n2\n3\n4\n5\n6\n7\n8\n9",
            "1\n2\n3\n4\nX\n6\n7\n8\n9",
            "2\n3\n4\n5\n6\n7\n8\n",
            "2\n3\n4\nX\n6\n7\n8\n",
        ),
        ("a\na\n", "a\na\na\n", "a\na\n", "a\na\na\n"),
    ],
)
def test_only_the_changed_part_of_a_file_is_kept(old: str, new: str, before: str, after: str) -> None:
    assert changed_part(old, new) == (before, after)


# --- History ----------------------------------------------------------------------------------------------


#: A history of two turns. Gemini CLI answers as soon as it has sent the first part.
REPEATED: list[Any] = [
    repeats("first", "old"),
    says("one", session="old"),
    repeats("sea", "old"),
    repeats("son\n::capture a.md", "old"),
    says("two", session="old"),
]


@pytest.mark.parametrize("answered_at", range(len(REPEATED) + 1))
def test_what_the_agent_reports_between_a_load_and_the_next_prompt_is_history(answered_at: int) -> None:
    happened = play(
        (CLIENT, request(5, "session/load", sessionId="old", cwd="/work")),
        *from_agent(*REPEATED[:answered_at], answer(5), *REPEATED[answered_at:]),
        (CLIENT, prompt(6, "third", session="old")),
        *from_agent(says("three", session="old"), answer(6)),
    )
    assert brief(events(happened, is_history=True)) == [
        ("message.user", "first"),
        ("message.assistant", "one", "final"),
        ("message.user", "season\n::capture a.md"),
        ("message.assistant", "two", "final"),
    ]
    assert brief(events(happened)) == [("message.user", "third"), ("message.assistant", "three", "final")]


def test_a_repeated_prompt_with_a_picture_reads_as_it_was_sent() -> None:
    sent = play((CLIENT, prompt(2, "what is ", PICTURE)))
    repeated = play(
        (CLIENT, request(5, "session/load", sessionId=SESSION, cwd="/work")),
        *from_agent(repeats("what is "), update("user_message_chunk", content=PICTURE), answer(5)),
        (CLIENT, prompt(6, "more")),
    )
    assert brief(events(repeated, is_history=True)) == brief(events(sent))


def test_a_silence_after_the_load_ends_the_history() -> None:
    machine = conversation()
    happened: list[Happening] = []
    for side, message in (
        *START,
        (CLIENT, request(5, "session/load", sessionId="old", cwd="/work")),
        (AGENT, repeats("first", "old")),
        (AGENT, None),
        (AGENT, answer(5)),
        (AGENT, says("one", session="old")),
        (AGENT, None),
        (AGENT, says("In the background, it ended.", session="old")),
        (AGENT, None),
    ):
        happened += machine.settle() if message is None else machine.take(side, message)
    assert brief(events(happened, is_history=True)) == [
        ("message.user", "first"),
        ("message.assistant", "one", "final"),
    ]
    assert brief(events(happened)) == [("message.assistant", "In the background, it ended.", "final")]


def test_a_prompt_is_live_also_while_the_agent_repeats_history() -> None:
    happened = play(
        (CLIENT, request(5, "session/load", sessionId="old", cwd="/work")),
        *from_agent(repeats("first", "old"), says("one", session="old")),
        (CLIENT, prompt(6, "::capture a.md", session="old")),
        *from_agent(repeats("second", "old"), says("two", session="old"), answer(5)),
    )
    assert brief(events(happened)) == [("message.user", "::capture a.md")]
    assert ("message.assistant", "two", "final") in brief(events(happened, is_history=True))


def test_an_agent_may_report_something_before_it_answers_that_the_session_began() -> None:
    happened = play(
        (CLIENT, request(8, "session/new", cwd="/b")),
        (AGENT, says("early", session="b")),
        (AGENT, answer(8, sessionId="b")),
    )
    assert happened[0] == Opened("b", ("/b",))
    assert brief(events(happened)) == [("message.assistant", "early", "final")]


def test_after_a_load_that_fails_the_session_is_live_again() -> None:
    happened = play(
        (CLIENT, request(5, "session/load", sessionId="old", cwd="/work")),
        (AGENT, failure(5, "unknown")),
        (CLIENT, prompt(6, "now", session="old")),
    )
    assert brief(events(happened)) == [("message.user", "now")]


# --- Names, capabilities, broken messages -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capabilities", "shown"),
    [
        ({"session": {"notices": {}}}, True),
        ({"session": {"notices": True}}, True),
        ({"session": {"notices": None}}, False),
        ({"session": {}}, False),
        ({}, False),
        ("x", False),
    ],
)
def test_whether_the_client_shows_notices(capabilities: Any, shown: bool) -> None:
    machine = conversation()
    machine.take(CLIENT, request(0, "initialize", clientCapabilities=capabilities))
    assert machine.shows_notices is shown


@pytest.mark.parametrize(
    ("info", "command", "provider", "keeper"),
    [
        ("goose", ["goose", "acp"], "goose", None),
        ("@zed-industries/claude-code-acp", ["node", "x.js"], "claude-code-acp", "claude"),
        ("@agentclientprotocol/claude-agent-acp", ["npx"], "claude-agent-acp", "claude"),
        ("Gemini CLI", ["gemini", "--acp"], "gemini-cli", "gemini"),
        ("codex", ["codex"], "codex-acp", "codex"),
        (None, ["npx", "-y", "@agentclientprotocol/codex-acp@2.6"], "codex-acp", "codex"),
        (None, ["/usr/local/bin/amp-acp"], "amp-acp", None),
        (None, ["C:\\tools\\Agent.EXE"], "agent", None),
        (None, ["env", "KEY=1", "node", "/opt/my-agent/dist/index.js"], "my-agent", None),
        (None, ["python3", "-m", "our_agent"], "our-agent", None),
        (None, ["--", "-x"], "acp", None),
        ("Größe!", ["x"], "gr-e", None),
        ("Agent", ["copilot", "--acp"], "agent", "copilot"),
        ("x" * 99, ["x"], "x" * 32, None),
    ],
)
def test_the_name_of_an_agent(
    info: str | None, command: list[str], provider: str, keeper: str | None
) -> None:
    assert names.provider(info, command, ASSISTANTS) == provider
    assert names.keeper_of_logs(info, command, ASSISTANTS) == keeper


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ([], "not an object"),
        ("x", "not an object"),
        (None, "not an object"),
        ({"jsonrpc": "2.0"}, "neither a request nor an answer"),
        (answer(77), "answer without a request"),
        (notification("session/update", update={}), "no session id"),
        ({"method": "session/update", "params": []}, "no session id"),
        (update("agent_message_chunk", 3, content={}), "no session id"),  # type: ignore[arg-type] # as a broken agent does
    ],
)
def test_a_broken_message_is_counted_and_changes_nothing(message: object, problem: str) -> None:
    machine = conversation()
    for side, one in START:
        machine.take(side, one)
    assert machine.take(AGENT, message) == []
    assert machine.problems == {problem: 1}


def test_requests_without_an_answer_are_bounded() -> None:
    machine = conversation()
    for number in range(3 * limits.ACP_REQUESTS_MAX):
        machine.take(CLIENT, request(number, "custom"))
    machine.take(AGENT, answer(0))
    assert machine.problems == {"answer without a request": 1}
