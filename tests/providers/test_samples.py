"""Real logs: read whole, in lines, in bytes and in halves, always the same events; a few turns checked by hand."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from conftest import SHARED
from kato.assistants.contract import Reader
from kato.core.events import AssistantMessage, ToolCall, ToolResult, UserMessage
from providers.reading import brief, encoded, read, reader_of

SAMPLES = SHARED / "samples" / "providers"
FILES = sorted(SAMPLES.rglob("*.json*")) if SAMPLES.is_dir() else []
LOGS = [
    path
    for path in FILES
    if path.suffix == ".jsonl" or path.parts[-2] in ("gemini", "copilot", "chatSessions")
]

pytestmark = pytest.mark.skipif(not FILES, reason="the samples are not there")


def opened(path: Path) -> Reader:
    provider = path.relative_to(SAMPLES).parts[0]
    agent = "parent" if path.stem.startswith("agent-") else None
    return reader_of(provider, document=path.suffix == ".json", session=path.stem, parent=agent)


def named(path: Path) -> str:
    return str(path.relative_to(SAMPLES))


@pytest.mark.parametrize("path", LOGS, ids=named)
def test_a_log_gives_the_same_events_however_it_is_cut(path: Path) -> None:
    data = path.read_bytes()
    whole, problems = read(opened(path), [data])
    cuts = random.Random(path.name)
    step = max(1, len(data) // 200)
    at = [0, *sorted(cuts.randrange(len(data) + 1) for _ in range(min(500, len(data)))), len(data)]
    ways = {
        "lines": data.splitlines(keepends=True),
        "halves": [data[: len(data) // 2], data[len(data) // 2 :]],
        "even": [data[start : start + step] for start in range(0, len(data), step)],
        "random": [data[start:end] for start, end in pairwise(at)],
    }
    for way, pieces in ways.items():
        events, found = read(opened(path), pieces)
        assert encoded(events) == encoded(whole), way
        assert found == problems, way


@pytest.mark.parametrize("path", LOGS, ids=named)
def test_a_log_that_is_read_again_gives_the_same_ids(path: Path) -> None:
    """Half, a pause, then from the beginning: by their ids, the same events and none twice."""
    data = path.read_bytes()
    reader = opened(path)
    whole, _ = read(opened(path), [data])
    half = data.find(b"\n", len(data) // 2) + 1 or len(data)
    first, _ = read(reader, [data[:half] if path.suffix == ".jsonl" else data])
    reader.restart()
    again, _ = read(reader, [data])
    ids = {event.event_id for event in whole}
    assert {event.event_id for event in (*first, *again)} <= ids | {event.event_id for event in first}
    assert ids <= {event.event_id for event in (*first, *again)}


@pytest.mark.parametrize("path", LOGS, ids=named)
def test_no_event_of_a_log_is_without_identity(path: Path) -> None:
    whole, _ = read(opened(path), [path.read_bytes()])
    for event in whole:
        assert event.event_id
        assert event.provider == path.relative_to(SAMPLES).parts[0]
        assert event.timestamp.tzinfo is not None


def test_claude_a_short_session() -> None:
    path = SAMPLES / "claude" / "98b76fb9-f5d3-40c5-ab82-b970c20e3764.jsonl"
    events, problems = read(opened(path), [path.read_bytes()])
    assert problems == []
    kinds = [kind for kind, _ in brief(events)]
    assert kinds == ["user", "thinking", "assistant"] * 3 + ["info", "user"]
    said = [event.content for event in events if isinstance(event, UserMessage)]
    assert said == [
        "Give me 4 20 sentince long paragraphs of lorem ipsum as if you were shrek",
        "Give me 4 20 sentince long paragraphs of lorem ipsum as if you were shrek for testing",
        "im testing chat just do it",
        "/compact",
    ]
    models = {event.model for event in events if isinstance(event, AssistantMessage)}
    assert models == {"claude-haiku-4-5-20251001"}


def test_claude_a_turn_with_tools() -> None:
    path = SAMPLES / "claude" / "ideas" / "03eb5929-52b3-4b13-ada3-b93ae35806b8.jsonl"
    events, _ = read(opened(path), [path.read_bytes()])
    turn = events[1:8]
    assert [kind for kind, _ in brief(turn)] == [
        "thinking",
        "assistant",
        "call",
        "result",
        "call",
        "result",
        "assistant",
    ]
    text, bash, listed, look, shown = turn[1], turn[2], turn[3], turn[4], turn[5]
    assert isinstance(text, AssistantMessage)
    assert (text.content, text.phase) == ("Let me take a look at what's here.", "commentary")
    assert isinstance(bash, ToolCall)
    assert (bash.name, bash.description) == ("Bash", "List contents of the ideas directory")
    assert isinstance(look, ToolCall)
    assert (look.name, look.description) == ("Read", "/home/user/project/work-and-dev-docs.md")
    for call, result in ((bash, listed), (look, shown)):
        assert isinstance(result, ToolResult)
        assert result.tool_call_id == call.tool_call_id


def test_codex_a_long_session_says_everything_once() -> None:
    """The log has 16 texts of the assistant, each twice, and 54 polls of running commands."""
    path = next((SAMPLES / "codex").glob("rollout-*.jsonl"))
    events, problems = read(opened(path), [path.read_bytes()])
    assert problems == []
    texts = [event.content for event in events if isinstance(event, AssistantMessage)]
    assert len(texts) == len(set(texts)) == 13
    calls = [event for event in events if isinstance(event, ToolCall)]
    results = [event for event in events if isinstance(event, ToolResult)]
    assert len({call.tool_call_id for call in calls}) == len(calls)
    assert len({result.tool_call_id for result in results}) == len(results)
    assert [call.name for call in calls].count("exec_command") == 43
    assert [call.name for call in calls].count("write_stdin") == 1
    first = [event.content for event in events if isinstance(event, UserMessage)]
    assert first == ["show tools", "let's update the defailt context compart to 90 in env var", *first[2:]]
    skill = next(result for result in results if result.tool_call_id == "call_Y2p6KmqwoTtpi6atpDPuxC5M")
    assert skill.result.startswith("---\nname: using-superpowers\n")


def test_gemini_a_session_in_one_document() -> None:
    path = SAMPLES / "gemini" / "session-2025-12-01T21-45-5b959dae.json"
    reader = opened(path)
    events, problems = read(reader, [path.read_bytes()])
    assert problems == []
    assert reader.info.session_id == "5b959dae-8655-4cd1-b10f-720b8c336ea2"
    short = brief(events)
    assert short[0] == ("user", "hi")
    assert short[1][1].startswith("**Assessing the Prompt's Intent** — ")
    assert [kind for kind, _ in short].count("user") == 3
    assert [kind for kind, _ in short].count("call") == [kind for kind, _ in short].count("result") == 10


def test_copilot_a_session_in_one_document() -> None:
    path = SAMPLES / "copilot" / "chatSessions" / "simple.json"
    reader = opened(path)
    events, problems = read(reader, [path.read_bytes()])
    assert problems == []
    assert reader.info.title == "Assistance with TypeScript project tasks"
    short = brief(events)
    assert [kind for kind, _ in short] == [
        "user", "assistant", "user", "assistant", "call", "call", "assistant", "user", "assistant", "call", "assistant",
    ]  # fmt: skip
    assert short[2] == ("user", "Change Bonjour World to hello world")
    assert short[6] == (
        "assistant",
        'Done! I\'ve changed "Bonjour World" to "hello world" in line 10 of your `index.ts` file.',
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("push_i_truncates", [("user", "one"), ("assistant", "aB2")]),
        ("streaming_set_same_part", [("user", "q"), ("assistant", "partial answer complete")]),
        ("push_creates_missing_array", [("user", "q"), ("assistant", "answer")]),
        ("delete_kind3", [("user", "hello"), ("assistant", "hi")]),
        ("missing_initial", []),
        ("partial_last_line", [("user", "one"), ("assistant", "A")]),
    ],
)
def test_copilot_mutations(name: str, expected: list[tuple[str, str]]) -> None:
    path = SAMPLES / "copilot" / "mutation-log-edge-cases" / f"{name}.jsonl"
    events, _ = read(opened(path), [path.read_bytes()])
    assert brief(events) == expected


def test_copilot_a_rewritten_log_gives_only_what_is_new() -> None:
    folder = SAMPLES / "copilot" / "mutation-log-edge-cases"
    reader = opened(folder / "compacted_rewrite_before.jsonl")
    before, _ = read(reader, [(folder / "compacted_rewrite_before.jsonl").read_bytes()])
    reader.restart()
    after, _ = read(reader, [(folder / "compacted_rewrite_after.jsonl").read_bytes()])
    known = {event.event_id for event in before}
    assert brief([event for event in after if event.event_id not in known]) == [
        ("user", "three"),
        ("assistant", "C"),
    ]
