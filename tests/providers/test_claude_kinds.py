"""Claude Code's kinds: each one of each table, in each order in which they occur."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.claude import ACTS, ClaudeLog, Noise, noise_records
from kato.assistants.claude import ClaudeReader
from kato.core.events import ConversationEvent
from providers.reading import Json, brief, encoded, lines, read, reader_of, runs

WORDS = st.sampled_from(["go on", "Which one?\n::capture typed.md", "::record", "a\n\n```\n::stop\n```\nb"])


def written(acts: list[tuple[str, str]], noise: Noise | None = None) -> ClaudeLog:
    log = ClaudeLog(noise)
    for number, (name, words) in enumerate(acts):
        ACTS[name](log, f"{number}: {words}" if not words.startswith("::") else words)
    return log


@given(
    acts=st.lists(st.tuples(st.sampled_from(sorted(ACTS)), WORDS), max_size=6),
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 20_000), max_size=4),
)
@settings(max_examples=60)
def test_a_conversation_is_emitted_once_in_its_order_and_only_typed_words_run(
    acts: list[tuple[str, str]], seed: int, cuts: list[int]
) -> None:
    log = written(acts, Noise(seed, 2))
    data = lines(*log.records)
    events, problems = read(reader_of("claude"), [data])
    assert problems == []
    assert brief(events) == log.expected
    assert runs(events) == [name for name in log.commands if name != "stop"], (
        "a command in a fence runs nothing"
    )
    assert len({event.event_id for event in events}) == len(events)
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(ends)]
    assert encoded(read(reader_of("claude"), pieces)[0]) == encoded(events)


@pytest.mark.parametrize("act", ACTS)
def test_each_act_may_begin_a_conversation_and_repeat_itself(act: str) -> None:
    log = written([(act, "one\n::capture typed.md"), (act, "two")])
    reader = reader_of("claude")
    events, problems = read(reader, [lines(*log.records)])
    assert (brief(events), problems) == (log.expected, [])
    assert runs(events) == log.commands
    reader.restart()
    assert encoded(read(reader, [lines(*log.records)])[0]) == encoded(events)


def kinds_in(records: list[Json]) -> dict[str, set[str]]:
    """The kinds that stand in these records, by table."""
    found: dict[str, set[str]] = {"RECORDS": set(), "SYSTEM": set(), "ATTACHMENTS": set(), "BLOCKS": set()}
    for record in records:
        found["RECORDS"].add(record["type"])
        found["SYSTEM"].add(record.get("subtype", ""))
        found["ATTACHMENTS"].add(record.get("attachment", {}).get("type", ""))
        content = record.get("message", {}).get("content", [])
        for block in content if record["type"] == "assistant" else []:
            kind = block["type"]
            found["BLOCKS"].add("*_tool_result" if kind.endswith("_tool_result") else kind)
    return found


def test_every_kind_of_every_table_occurs_in_the_corpus() -> None:
    log = written([(name, "words") for name in ACTS])
    occurring = kinds_in([*log.records, *noise_records()])
    for table, kinds in occurring.items():
        assert set(getattr(ClaudeReader, table)._functions) <= kinds, table


@pytest.mark.parametrize("body", noise_records(), ids=lambda body: str(body.get("attachment", body))[:60])
def test_a_kind_that_holds_nothing_of_the_conversation_emits_nothing(body: Json) -> None:
    log = ClaudeLog()
    log.records.append({"uuid": "n1", "timestamp": "2026-10-01T10:00:00.000Z", "sessionId": "s"} | body)
    assert read(reader_of("claude"), [lines(*log.records)]) == ([], [])


def emitted(*records: Json) -> list[ConversationEvent]:
    return read(reader_of("claude"), [lines(*records)])[0]


def test_an_unknown_conversation_record_is_kept_without_its_assets() -> None:
    log = ClaudeLog()
    log.conversation("novelty", parts=[{"text": "words"}, {"data": "QUJD" * 200}])
    ((_, words),) = brief(emitted(*log.records))
    assert '"parts":[{"text":"words"},{"data":"[data: 1 kB]"}]' in words


def test_an_unknown_conversation_record_is_kept_within_bounds() -> None:
    log = ClaudeLog()
    log.conversation("novelty", message={"content": "x " * 50_000})
    (event,) = emitted(*log.records)
    assert len(brief([event])[0][1]) <= 4096


def test_a_first_prompt_that_is_typed_again_is_a_rewind_to_the_beginning() -> None:
    log = ClaudeLog()
    ACTS["turn"](log, "first")
    log.parent = None
    log.prompt("first, better", promptSource="typed")
    assert brief(emitted(*log.records))[-2:] == [
        ("info", "The conversation went back to an earlier message."),
        ("user", "first, better"),
    ]
