"""What every reader promises, for a conversation in each of the formats: the public kit, and what damage costs.

A reader that is added gets a `CONVERSATIONS` entry: a user who types a command, a reply, a tool whose result looks like one,
and a second turn.
"""

import codecs
import json
from itertools import pairwise

import pytest

from kato.assistants.contract import Assistant, LogFile, Reader
from kato.assistants.registry import ASSISTANTS
from kato.core.events import ConversationEvent
from kato.testing import check_reader
from providers.reading import Json, brief, encoded, lines, read, reader_of, runs

TYPED = "How do I split it? ü🎉\n::capture typed.md"
FOREIGN = "a.py\n::stop\n```\n::export evil.md"
FORMATS = ["claude", "codex", "codex items", "gemini", "copilot events", "copilot state"]


def at(second: int) -> str:
    return f"2026-05-01T10:00:{second:02d}.000Z"


def claude() -> list[Json]:
    def record(kind: str, number: int, **message: object) -> Json:
        body = {"type": kind, "uuid": f"u{number}", "timestamp": at(number), "sessionId": "s", "cwd": "/w"}
        return body | {"message": {"role": kind, "id": f"m{number}"} | message}

    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": FOREIGN}
    answer = {"type": "text", "text": FOREIGN}
    return [
        record("user", 1, content=TYPED),
        record("assistant", 2, content=[call], stop_reason="tool_use"),
        record("user", 3, content=[result]),
        record("assistant", 4, content=[answer], stop_reason="end_turn"),
        record("user", 5, content="And now?\n::record"),
    ]


def codex() -> list[Json]:
    def record(kind: str, number: int, **payload: object) -> Json:
        return {"timestamp": at(number), "type": kind, "payload": payload}

    def said(role: str, part: str, text: str) -> Json:
        return {"type": "message", "role": role, "content": [{"type": part, "text": text}]}

    return [
        record("session_meta", 0, id="s", cwd="/w", cli_version="0.125.0", source="cli"),
        record("response_item", 1, **said("user", "input_text", TYPED)),
        record("event_msg", 2, type="user_message", message=TYPED),
        record("response_item", 3, type="function_call", name="exec_command", call_id="c1", arguments="{}"),
        record("response_item", 4, type="function_call_output", call_id="c1", output=FOREIGN),
        record("event_msg", 5, type="agent_message", message=FOREIGN),
        record("response_item", 6, **said("assistant", "output_text", FOREIGN)),
        record("event_msg", 7, type="user_message", message="And now?\n::record"),
    ]


def codex_items() -> list[Json]:
    def record(kind: str, number: int, **payload: object) -> Json:
        return {"timestamp": at(number), "ordinal": number, "type": kind, "payload": payload}

    def said(role: str, part: str, text: str, kind: str) -> Json:
        about = {"turn_id": "t1", "content_item_kinds": [kind]}
        content = [{"type": part, "text": text}]
        return {
            "type": "message",
            "role": role,
            "content": content,
            "internal_chat_message_metadata_passthrough": about,
        }

    def completed(number: int, what: str, text: str) -> Json:
        item = {"type": what, "id": f"i{number}", "content": [{"type": "text", "text": text}]}
        return record("event_msg", number, type="item_completed", turn_id="t1", item=item)

    return [
        record(
            "session_meta", 0, id="s", cwd="/w", cli_version="0.154.0", source="cli", history_mode="paginated"
        ),
        record("event_msg", 1, type="task_started", turn_id="t1"),
        record("response_item", 2, **said("user", "input_text", FOREIGN, "agents_md.instructions")),
        record("response_item", 3, **said("user", "input_text", TYPED, "user.text")),
        completed(4, "UserMessage", TYPED),
        record("response_item", 5, type="function_call", name="exec_command", call_id="c1", arguments="{}"),
        record("response_item", 6, type="function_call_output", call_id="c1", output=FOREIGN),
        completed(7, "AgentMessage", FOREIGN),
        record("response_item", 8, **said("assistant", "output_text", FOREIGN, "assistant.text")),
        completed(9, "UserMessage", "And now?\n::record"),
    ]


def gemini() -> list[Json]:
    def record(kind: str, number: int, content: object, **more: object) -> Json:
        return {"id": f"m{number}", "timestamp": at(number), "type": kind, "content": content} | more

    result = [{"functionResponse": {"response": {"output": FOREIGN}}}]
    call = {"id": "c1", "name": "ls", "args": {}, "status": "success", "result": result, "timestamp": at(3)}
    return [
        {"sessionId": "s", "projectHash": "x", "startTime": at(0), "kind": "main"},
        record("user", 1, [{"text": TYPED}]),
        record("gemini", 2, FOREIGN, toolCalls=[call]),
        record("user", 4, [{"text": "And now?\n::record"}]),
    ]


def copilot_events() -> list[Json]:
    def record(kind: str, number: int, **data: object) -> Json:
        return {"type": kind, "data": data, "id": f"e{number}", "timestamp": at(number), "parentId": None}

    return [
        record("session.start", 0, sessionId="s", context={"cwd": "/w"}),
        record("user.message", 1, content=TYPED),
        record("tool.execution_start", 9, toolCallId="c1", toolName="ls", arguments={}),
        record("tool.execution_complete", 10, toolCallId="c1", success=True, result={"content": FOREIGN}),
        record("assistant.message", 11, messageId="m", content=FOREIGN, toolRequests=[]),
        record("user.message", 20, content="And now?\n::record"),
    ]


def copilot_state() -> list[Json]:
    def asked(number: int, text: str, *parts: Json) -> Json:
        body = {"requestId": f"r{number}", "timestamp": 1_777_629_600_000 + number, "message": {"text": text}}
        return body | {"response": list(parts), "modelState": {"value": 1}}

    return [
        {"kind": 0, "v": {"version": 3, "sessionId": "s", "requests": []}},
        {"kind": 2, "k": ["requests"], "v": [asked(1, TYPED, {"value": FOREIGN})]},
        {"kind": 2, "k": ["requests"], "v": [asked(2, "And now?\n::record")]},
    ]


CONVERSATIONS = dict(
    zip(FORMATS, (claude(), codex(), codex_items(), gemini(), copilot_events(), copilot_state()), strict=True)
)


#: The formats of the first generations: one JSON document.
DOCUMENTS: dict[str, Json] = {
    "gemini": {**gemini()[0], "messages": gemini()[1:]},
    "copilot": {**copilot_state()[0]["v"], "requests": [one["v"][0] for one in copilot_state()[1:]]},
}


def assistant_of(name: str) -> Assistant:
    (assistant,) = (one for one in ASSISTANTS if one.name == name.partition(" ")[0])
    return assistant


def opened(name: str) -> Reader:
    return reader_of(name.partition(" ")[0])


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def whole(name: str) -> list[ConversationEvent]:
    events, problems = read(opened(name), [lines(*CONVERSATIONS[name])])
    assert problems == []
    return events


def ids(events: list[ConversationEvent]) -> list[str]:
    return [event.event_id for event in events]


def test_events_keep_their_order_and_only_typed_commands_run(name: str) -> None:
    events = whole(name)
    assert runs(events) == ["capture", "record"]
    told = [words for kind, words in brief(events) if kind == "user"]
    assert told == [TYPED, "And now?\n::record"]
    assert len(set(ids(events))) == len(events)
    assert {event.session_id for event in events} == {"s"}


def test_the_reader_keeps_the_contract(name: str) -> None:
    check_reader(
        assistant_of(name),
        lines(*CONVERSATIONS[name]),
        typed=[TYPED, "And now?\n::record"],
        has_record_ids=name != "codex",
    )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_reader_of_a_document_keeps_the_contract(name: str) -> None:
    check_reader(
        assistant_of(name),
        json.dumps(DOCUMENTS[name], ensure_ascii=False).encode(),
        typed=[TYPED, "And now?\n::record"],
        file=LogFile("s", rewritten=True),
    )


@pytest.mark.parametrize("damage", ["mark", "utf-16", "glued", "no end", "holes", "returns", "blank lines"])
def test_another_encoding_or_line_break_changes_no_event(name: str, damage: str) -> None:
    data = lines(*CONVERSATIONS[name])
    written = {
        "mark": codecs.BOM_UTF8 + data,
        "utf-16": data.decode().encode("utf-16"),
        "glued": data.replace(b"}\n{", b"}{"),
        "no end": data[:-1],
        "holes": data.replace(b"\n", b"\n\0\0\0\0"),
        "returns": data.replace(b"\n", b"\r\n"),
        "blank lines": data.replace(b"\n", b"\n\n  \n"),
    }[damage]
    events, problems = read(opened(name), [written])
    assert (encoded(events), problems) == (encoded(whole(name)), [])


def test_a_torn_record_costs_no_other_record(name: str) -> None:
    """Whichever record a crash tears, and wherever: what follows on the same line is read."""
    records = [lines(record)[:-1] for record in CONVERSATIONS[name]]
    expected = set(ids(whole(name)))
    for torn in range(1, len(records)):
        for cut in range(2, len(records[torn]), 5):
            if name == "copilot state" and records[torn][:cut].rstrip()[-1:] in b":[,":
                continue  # JSON allows an object there, and no keys distinguish this format's records from other objects
            pieces = [*records[:torn], records[torn][:cut] + records[torn], *records[torn + 1 :]]
            events, problems = read(opened(name), [b"\n".join([*pieces, b""])])
            assert set(ids(events)) == expected, (torn, cut)
            assert [problem.kind for problem in problems] == ["broken_line"]


def test_bytes_between_the_records_that_are_not_records_are_reported(name: str) -> None:
    expected = encoded(whole(name))
    for junk in (b"\xff\xfe\xfd", b"[1, 2]", b"null", b'"text"', b'{"a":', b"x}}", b"\0x\0"):
        data = lines(*CONVERSATIONS[name]).replace(b"\n", b"\n" + junk + b"\n", 1)
        events, problems = read(opened(name), [data])
        assert encoded(events) == expected, junk
        assert len(problems) == 1, (junk, problems)


def test_a_log_that_grows_record_by_record_gives_the_same_events(name: str) -> None:
    """A log that grows, with a pause behind each record."""
    reader, told = opened(name), []
    data = lines(*CONVERSATIONS[name])
    ends = [0, *(end + 1 for end in range(len(data)) if data[end : end + 1] == b"\n")]
    for start, end in pairwise(ends):
        told += read(reader, [data[start:end]])[0]
    assert ids(told) == ids(whole(name))
