"""Assistants that keep their logs as another one does: own names and places, and what differs in their records."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from kato.app.parsing import parse_log
from kato.assistants.contract import Assistant, LogFile, Reader, Surroundings
from kato.assistants.forks import FORKS
from kato.assistants.registry import ASSISTANTS
from kato.core.events import ProviderInfo, ToolCall, ToolResult
from kato.testing import check_reader
from providers.reading import Json, brief, encoded, lines, read, runs
from providers.test_conformance import FOREIGN, TYPED, at, claude, codex

AGAIN = "And now?\n::record"
BY_NAME = {assistant.name: assistant for assistant in ASSISTANTS}
PLACE = Surroundings({}, "/home/u", "linux")


# --- A conversation in the form of each fork ---------------------------------------------------------------


def iflow() -> list[Json]:
    def record(number: int, kind: str, parent: str | None, **message: object) -> Json:
        body = {
            "uuid": f"u{number}",
            "parentUuid": parent,
            "sessionId": "s",
            "timestamp": at(number),
            "type": kind,
        }
        about = {"cwd": "/w", "version": "1.0.0"} if kind == "user" else {}
        return (
            body | {"isSidechain": False, "userType": "external", "message": {"role": kind} | message} | about
        )

    def call(number: int) -> Json:
        path = {"absolute_path": f"/w/{number}.py"}
        return {"type": "tool_use", "id": f"c{number}", "name": "read_file", "input": path}

    def reply(number: int, *blocks: Json) -> Json:
        usage = {"input_tokens": 0, "output_tokens": 0}
        about = {"id": f"response-{number}", "model": "glm-5", "stop_reason": None, "usage": usage}
        return record(number, "assistant", "u1", content=list(blocks), **about)

    def result(number: int, call_id: str, status: str) -> Json:
        given = {"functionResponse": {"id": call_id, "name": "read_file", "response": {"output": FOREIGN}}}
        content = {"callId": call_id, "responseParts": given, "resultDisplay": "Read all lines"}
        block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
        detail = {"toolName": "read_file", "status": status, "timestamp": 1_777_629_600_000}
        return record(number, "user", "u6", content=[block]) | {"toolUseResult": detail}

    text = {"type": "text", "text": "I read two files."}
    return [
        record(1, "user", None, content=TYPED),
        reply(2, text, call(1)),
        reply(3, call(1), call(2)),
        reply(4, call(2)),
        result(5, "c1", "success"),
        result(6, "c2", "cancelled"),
        reply(7, call(2), {"type": "text", "text": FOREIGN}),
        record(8, "user", "u1", content=AGAIN),
    ]


def command_code() -> list[Json]:
    def record(number: int, role: str, source: str | None, *blocks: Json, **more: object) -> Json:
        meta = {"messageId": f"m{number}"} | ({"source": source} if source else {})
        message = {"role": role, "content": list(blocks), "meta": meta}
        parent = f"r{number - 1}" if number > 1 else None
        body = {"type": "message", "id": f"r{number}", "parentId": parent, "timestamp": at(number)}
        return body | {"message": message} | more

    def text(words: str) -> Json:
        return {"type": "text", "text": words}

    call = {"type": "tool_use", "id": "c1", "name": "shell_command", "input": {"command": "ls"}}
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [text(FOREIGN)], "is_error": True}
    usage = {"inputTokens": 100, "cacheReadTokens": 40, "outputTokens": 5}
    return [
        {"type": "session", "version": 3, "id": "s", "timestamp": at(0), "cwd": "/w"},
        record(1, "user", "user", text(TYPED)),
        record(2, "assistant", "model", call, model="vendor/x", usage=usage),
        record(3, "user", "tool", result),
        record(4, "assistant", "model", text(FOREIGN), model="vendor/x"),
        record(5, "user", None, text("Error: 500\n::stop")),
        record(6, "user", "user", text(AGAIN)),
    ]


def command_code_2() -> list[Json]:
    def record(number: int, role: str, *blocks: Json) -> Json:
        about = {"version": 2, "cwd": "/w"}
        body = {
            "id": f"r{number}",
            "timestamp": at(number),
            "sessionId": "s",
            "role": role,
            "gitBranch": "main",
        }
        return body | {"content": list(blocks), "metadata": about}

    call = {"type": "tool-call", "toolCallId": "c1", "toolName": "read_file", "input": {"file_path": "a.py"}}
    result = {"type": "tool-result", "toolCallId": "c1", "toolName": "read_file"}
    return [
        record(1, "user", {"type": "text", "text": TYPED}),
        record(2, "assistant", {"type": "reasoning", "text": "I look."}, call),
        record(3, "tool", result | {"output": {"type": "text", "value": FOREIGN}}),
        record(4, "assistant", {"type": "text", "text": FOREIGN}),
        record(5, "user", {"type": "text", "text": AGAIN}),
    ]


def workbuddy() -> list[Json]:
    def record(number: int, kind: str, **more: object) -> Json:
        stamp = 1_777_629_600_000 + number * 1000
        return {"id": f"r{number}", "timestamp": stamp, "type": kind, "sessionId": "s", "cwd": "/w"} | more

    def said(number: int, role: str, part: str, text: str) -> Json:
        usage = {"inputTokens": 20, "outputTokens": 4, "cacheReadInputTokens": 5}
        about = {"providerData": {"model": "gpt-5", "usage": usage}} if role == "assistant" else {}
        return record(number, "message", role=role, content=[{"type": part, "text": text}], **about)

    return [
        said(1, "system", "input_text", f"You are a helper.\n{FOREIGN}"),
        said(2, "user", "input_text", TYPED),
        record(3, "reasoning", rawContent=[{"type": "reasoning_text", "text": "I look."}]),
        record(4, "function_call", name="Bash", callId="c1", arguments='{"command": "ls"}'),
        record(5, "function_call_result", name="Bash", callId="c1", output={"type": "text", "text": FOREIGN}),
        said(6, "assistant", "output_text", FOREIGN),
        said(7, "user", "input_text", AGAIN),
    ]


def first_codex() -> list[Json]:
    """The first form of Codex's logs, which resembles the one of Command Code before version 3."""
    return [
        {"timestamp": at(1), "role": "user", "content": TYPED, "model": "o4-mini"},
        {"timestamp": at(2), "role": "assistant", "content": "Like this."},
    ]


class Sample(NamedTuple):
    """A log of a fork: what its reader makes of it, its tokens and the models that it names."""

    name: str
    records: Callable[[], list[Json]]
    events: Sequence[tuple[str, str]]
    tokens: int | None = None
    models: frozenset[str] = frozenset()


LIKE_CLAUDE = (
    ("user", TYPED),
    ("call", "Bash"),
    ("result", FOREIGN),
    ("assistant", FOREIGN),
    ("user", AGAIN),
)
SAMPLES = [
    Sample(
        "traex",
        codex,
        (
            ("user", TYPED),
            ("call", "exec_command"),
            ("result", FOREIGN),
            ("assistant", FOREIGN),
            ("user", AGAIN),
        ),
    ),
    Sample("openclaude", claude, LIKE_CLAUDE),
    Sample("qoder", claude, LIKE_CLAUDE),
    Sample(
        "iflow",
        iflow,
        (
            ("user", TYPED),
            ("assistant", "I read two files."),
            ("call", "read_file"),
            ("call", "read_file"),
            ("result", FOREIGN),
            ("result", FOREIGN),
            ("assistant", FOREIGN),
            ("user", AGAIN),
        ),
        models=frozenset(["glm-5"]),
    ),
    Sample(
        "commandcode",
        command_code,
        (
            ("user", TYPED),
            ("call", "shell_command"),
            ("result", FOREIGN),
            ("assistant", FOREIGN),
            ("info", "Error: 500\n::stop"),
            ("user", AGAIN),
        ),
        65,
        frozenset(["vendor/x"]),
    ),
    Sample(
        "commandcode",
        command_code_2,
        (
            ("user", TYPED),
            ("thinking", "I look."),
            ("call", "read_file"),
            ("result", FOREIGN),
            ("assistant", FOREIGN),
            ("user", AGAIN),
        ),
    ),
    Sample(
        "workbuddy",
        workbuddy,
        (
            ("user", TYPED),
            ("thinking", "I look."),
            ("call", "Bash"),
            ("result", FOREIGN),
            ("assistant", FOREIGN),
            ("user", AGAIN),
        ),
        19,
    ),
]


def opened(name: str, log: LogFile | None = None, companions: dict[str, bytes] | None = None) -> Reader:
    return BY_NAME[name].reader(log or LogFile("s"), companions or {}, PLACE)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.name} {one.records.__name__}")
def test_a_fork_is_read_as_its_parent_with_its_own_name(sample: Sample) -> None:
    reader = opened(sample.name)
    events, problems = read(reader, [lines(*sample.records())])
    assert problems == []
    assert tuple(brief(events)) == tuple(sample.events)
    assert {event.provider for event in events} == {sample.name}
    assert runs(events) == ["capture", "record"]
    assert (reader.info.cwd, reader.info.tokens) == ("/w", sample.tokens)
    models = {event.model for event in events if isinstance(event, ToolCall) and isinstance(event.model, str)}
    assert models == sample.models


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: f"{one.name} {one.records.__name__}")
def test_a_fork_keeps_the_contract(sample: Sample) -> None:
    log, has_record_ids = lines(*sample.records()), sample.records is not codex
    check_reader(BY_NAME[sample.name], log, typed=[TYPED, AGAIN], has_record_ids=has_record_ids)


def test_each_fork_has_a_sample() -> None:
    assert {sample.name for sample in SAMPLES} == {fork.name for fork in FORKS}


# --- What differs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "records", "outcomes"),
    [
        ("iflow", iflow, ["ok", "denied"]),
        ("commandcode", command_code, ["error"]),
        ("workbuddy", workbuddy, ["ok"]),
    ],
)
def test_how_calls_ended(name: str, records: Callable[[], list[Json]], outcomes: list[str]) -> None:
    events, _ = read(opened(name), [lines(*records())])
    assert [event.outcome for event in events if isinstance(event, ToolResult)] == outcomes


def test_a_prompt_of_iflow_with_the_parent_of_an_earlier_one_is_not_a_rewind() -> None:
    first, second = iflow()[0], iflow()[-1]
    events, _ = read(opened("iflow"), [lines(first, second, second | {"uuid": "u9", "timestamp": at(9)})])
    assert [kind for kind, _ in brief(events)] == ["user", "user", "user"]


def test_a_text_of_iflow_that_grows_from_record_to_record_is_emitted_once() -> None:
    prompt, reply, *_ = iflow()
    grown = [
        {
            **reply,
            "uuid": f"u{number}",
            "message": reply["message"] | {"content": [{"type": "text", "text": text}]},
        }
        for number, text in ((2, "I read"), (3, "I read"), (4, "I read two files."), (5, "I read two files."))
    ]
    events, _ = read(opened("iflow"), [lines(prompt, *grown)])
    assert brief(events) == [("user", TYPED), ("assistant", "I read two files.")]


def test_a_call_of_iflow_counts_once_also_where_each_record_follows_the_one_before() -> None:
    prompt, *others = iflow()
    before = [prompt, *others]
    records = [
        prompt,
        *(one | {"parentUuid": last["uuid"]} for last, one in zip(before, others, strict=False)),
    ]
    events, _ = read(opened("iflow"), [lines(*records)])
    assert [event.tool_call_id for event in events if isinstance(event, ToolCall)] == ["c1", "c2"]


def test_blocks_of_iflow_that_are_neither_texts_nor_calls_are_all_read() -> None:
    prompt, reply, *_ = iflow()
    blocks = [
        {"type": "thinking", "thinking": "One."},
        {"type": "thinking", "thinking": "Two."},
        {"type": "x"},
        {"type": "x"},
    ]
    reply = reply | {"message": reply["message"] | {"content": blocks}}
    events, problems = read(opened("iflow"), [lines(prompt, reply)])
    assert [words for kind, words in brief(events) if kind == "thinking"] == ["One.", "Two."]
    assert [problem.detail for problem in problems] == ["block x", "block x"]


def test_a_text_of_workbuddy_needs_no_type() -> None:
    for content in ([{"text": TYPED}], TYPED):
        record = {
            "id": "r1",
            "timestamp": 1_777_629_600_000,
            "type": "message",
            "role": "user",
            "content": content,
        }
        events, problems = read(opened("workbuddy"), [lines(record)])
        assert (brief(events), problems) == ([("user", TYPED)], [])


def test_a_prompt_of_command_code_that_continues_an_older_message_is_a_rewind() -> None:
    records = command_code()
    records.append(records[-1] | {"id": "r7", "timestamp": at(7)})
    events, _ = read(opened("commandcode"), [lines(*records)])
    notes = [event for event in events if isinstance(event, ProviderInfo)]
    assert [note.subtype for note in notes] == ["api_error", "rewind"]


@pytest.mark.parametrize("name", [fork.name for fork in FORKS if fork.name != "traex"], ids=str)
def test_a_block_of_tags_makes_a_message_of_a_fork_doubtful(name: str) -> None:
    records = next(sample.records for sample in SAMPLES if sample.name == name)()
    text = lines(*records).decode().replace("::record", "<context>\\n::record\\n</context>").encode()
    events, _ = read(opened(name), [text])
    assert runs(events) == ["capture"]


@pytest.mark.parametrize(
    ("name", "record", "counted"),
    [
        ("openclaude", {"type": "novelty", "content": FOREIGN}, "novelty"),
        ("qoder", {"type": "novelty", "content": FOREIGN}, "novelty"),
        ("iflow", {"type": "novelty", "content": FOREIGN}, "novelty"),
        ("commandcode", {"type": "novelty", "id": "r1", "content": FOREIGN}, "novelty"),
        ("commandcode", {"type": "message", "id": "r1", "message": {"role": "novelty"}}, "message"),
        ("workbuddy", {"type": "novelty", "id": "r1", "content": FOREIGN}, "novelty"),
        ("workbuddy", {"type": "message", "id": "r1", "role": "novelty", "content": []}, "novelty"),
    ],
)
def test_a_record_of_an_unknown_kind_is_counted(name: str, record: Json, counted: str) -> None:
    _, problems = read(opened(name), [lines(record)])
    assert [(problem.kind, problem.detail) for problem in problems] == [("unknown_kind", counted)]


@pytest.mark.parametrize(
    ("name", "ending", "facts"),
    [
        ("qoder", "-session.json", b'{"title": "Split it", "working_dir": "/work"}'),
        ("commandcode", ".meta.json", b'{"title": "Split it", "cwd": "/work"}'),
    ],
)
def test_the_file_next_to_a_log_gives_title_and_folder(name: str, ending: str, facts: bytes) -> None:
    log = BY_NAME[name].match(["-w", "s.jsonl"])
    assert log is not None
    assert log.companions == (f"-w/s{ending}",)
    reader = opened(name, log, {f"s{ending}": facts})
    assert (reader.info.title, reader.info.cwd) == ("Split it", "/work")
    reader.take_companions({f"s{ending}": facts.replace(b"Split", b"Join")})
    assert reader.info.title == "Join it"


def test_side_chains_and_documents_of_a_fork_have_its_name() -> None:
    side = claude()[0] | {"isSidechain": True, "parentUuid": None}
    events, _ = read(opened("openclaude"), [lines(side)])
    assert [(event.provider, event.session_id) for event in events] == [("openclaude", "sidechain-u1")]
    items = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}]
    document = {"session": {"id": "s", "timestamp": at(0)}, "items": items}
    events, _ = read(opened("traex", LogFile("s", rewritten=True)), [lines(document)])
    assert [event.provider for event in events] == ["traex"]


def test_a_fork_and_its_parent_differ_in_the_name_of_the_provider_only() -> None:
    def as_of(name: str) -> list[bytes]:
        events, _ = read(opened(name), [lines(*claude())])
        return [one.replace(f'"{name}"'.encode(), b'"x"') for one in encoded(events)]

    assert as_of("openclaude") == as_of("claude")


@pytest.mark.parametrize(
    ("records", "name"),
    [
        (claude, "claude"),
        (codex, "codex"),
        (first_codex, "codex"),
        (command_code, "commandcode"),
        (command_code_2, "commandcode"),
        (workbuddy, "workbuddy"),
    ],
)
def test_a_log_in_any_folder_is_recognised_by_its_records(
    tmp_path: Path, records: Callable[[], list[Json]], name: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(lines(*records()))
    assert parse_log(path).assistant.name == name


# --- Places -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "platform", "environment", "expected"),
    [
        ("traex", "linux", {}, ["/home/u/.trae/cli/sessions", "/home/u/.trae/cli/archived_sessions"]),
        ("traex", "linux", {"TRAE_HOME": "/t"}, ["/t/cli/sessions", "/t/cli/archived_sessions"]),
        (
            "traex",
            "linux",
            {"TRAE_HOME": "/t", "TRAECLI_HOME": "~/c"},
            ["/home/u/c/sessions", "/home/u/c/archived_sessions"],
        ),
        ("openclaude", "linux", {}, ["/home/u/.openclaude/projects"]),
        ("openclaude", "linux", {"OPENCLAUDE_CONFIG_DIR": "/o"}, ["/o/projects"]),
        (
            "qoder",
            "darwin",
            {},
            [
                "/home/u/.qoder/projects",
                "/home/u/.qoder-cn/projects",
                "/home/u/.qoderwork/projects",
                "/home/u/Library/Application Support/Qoder/SharedClientCache/cli/projects",
                "/home/u/Library/Application Support/QoderCN/SharedClientCache/cli/projects",
            ],
        ),
        ("iflow", "linux", {}, ["/home/u/.iflow/projects"]),
        ("commandcode", "linux", {}, ["/home/u/.commandcode/projects"]),
        ("workbuddy", "linux", {}, ["/home/u/.workbuddy/projects"]),
    ],
)
def test_roots(name: str, platform: str, environment: dict[str, str], expected: list[str]) -> None:
    assert BY_NAME[name].roots(Surroundings(environment, "/home/u", platform)) == expected


def test_the_editor_of_qoder_keeps_its_chats_with_the_data_of_applications() -> None:
    place = Surroundings({"APPDATA": "C:\\data"}, "C:\\Users\\u", "win32")
    assert "C:\\data\\Qoder\\SharedClientCache\\cli\\projects" in BY_NAME["qoder"].roots(place)


def test_the_default_places_of_two_assistants_do_not_lie_in_one_another() -> None:
    roots = [(one.name, f"{root}/") for one in ASSISTANTS for root in one.roots(PLACE)]
    inside = [(a, b) for a, one in roots for b, other in roots if a != b and one.startswith(other)]
    assert inside == []


@pytest.mark.parametrize(
    ("name", "path", "session", "parent"),
    [
        ("traex", "2026/05/11/rollout-2026-05-11T11-26-55-019e1625-789d.jsonl", "019e1625-789d", None),
        ("openclaude", "-w/0a1b/subagents/agent-77.jsonl", "agent-77", "0a1b"),
        ("qoder", "-w/0a1b.jsonl", "0a1b", None),
        ("qoder", "-w/transcript/0a1b.jsonl", "0a1b", None),
        ("qoder", "0a1b.jsonl", "0a1b", None),
        ("qoder", "-w/0a1b-session.json", None, None),
        ("qoder", "-w/0a1b/subagents/agent-77.jsonl", "agent-77", "0a1b"),
        ("iflow", "-w/session-0a1b.jsonl", "session-0a1b", None),
        ("iflow", "-w/other.jsonl", None, None),
        ("commandcode", "w/0a1b.jsonl", "0a1b", None),
        ("commandcode", "w/0a1b.checkpoints.jsonl", None, None),
        ("commandcode", "w/0a1b.prompts.jsonl", None, None),
        ("workbuddy", "w/0a1b/subagents/agent-77.jsonl", "agent-77", "0a1b"),
        ("workbuddy", "w/0a1b/tool-results/x.txt", None, None),
    ],
)
def test_which_files_are_logs(name: str, path: str, session: str | None, parent: str | None) -> None:
    parts = path.split("/")
    assistant = BY_NAME[name]
    found = assistant.match(parts)
    assert (None if found is None else found.session_id) == session
    if found is not None:
        assert found.parent_id == parent
        assert is_reached(assistant, parts)


def is_reached(assistant: Assistant, parts: Sequence[str]) -> bool:
    return all(assistant.enter(parts[:depth]) for depth in range(1, len(parts)))
