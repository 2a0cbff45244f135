"""Gemini's kinds: each one of each table, in each order in which they occur."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.gemini import ACTS, CONTEXT, FOREIGN, GeminiLog
from kato.assistants.gemini import GeminiReader
from kato.core.events import Decision, UserMessage
from providers.reading import Json, brief, encoded, left_out, lines, read, reader_of, runs

WORDS = st.sampled_from(["go on", "Which one?\n::capture typed.md", "::record"])


def written(acts: list[tuple[str, str]]) -> GeminiLog:
    """A log of these acts. Each one's words differ: Gemini keeps a turn under other ids, and only its words identify it."""
    log = GeminiLog()
    for number, (name, words) in enumerate(acts):
        ACTS[name](log, f"{number}: {words}" if not words.startswith("::") else words)
    return log


@given(
    acts=st.lists(st.tuples(st.sampled_from(sorted(ACTS)), WORDS), max_size=6),
    cuts=st.lists(st.integers(0, 20_000), max_size=4),
)
@settings(max_examples=60)
def test_a_conversation_is_emitted_once_in_its_order_and_only_typed_words_run(
    acts: list[tuple[str, str]], cuts: list[int]
) -> None:
    log = written(acts)
    data = lines(*log.records)
    events, problems = read(reader_of("gemini"), [data])
    assert problems == []
    assert brief(events) == log.expected
    assert runs(events) == log.commands
    assert len({event.event_id for event in events}) == len(events)
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(ends)]
    assert encoded(read(reader_of("gemini"), pieces)[0]) == encoded(events)
    paused = reader_of("gemini")
    assert encoded([event for piece in pieces for event in read(paused, [piece])[0]]) == encoded(events)


@pytest.mark.parametrize("act", ACTS)
def test_each_act_may_begin_a_conversation_and_repeat_itself(act: str) -> None:
    log = written([(act, "one\n::capture typed.md"), (act, "two")])
    reader = reader_of("gemini")
    events, problems = read(reader, [lines(*log.records)])
    assert (brief(events), problems) == (log.expected, [])
    assert runs(events) == log.commands
    reader.restart()
    assert encoded(read(reader, [lines(*log.records)])[0]) == encoded(events)


def kinds_in(records: list[Json]) -> dict[str, set[str]]:
    """The kinds that stand in these records, by table."""
    found: dict[str, set[str]] = {"RECORDS": set(), "MESSAGES": set(), "DECISIONS": set(), "FIELDS": set()}
    for record in records:
        found["RECORDS"] |= set(record)
        found["MESSAGES"].add(record.get("type", ""))
        found["DECISIONS"] |= {call["name"] for call in record.get("toolCalls", [])}
        found["FIELDS"] |= set(record.get("$set", record if "projectHash" in record else {}))
    return found


def test_every_kind_of_every_table_occurs_in_the_corpus() -> None:
    found = kinds_in(written([(name, "words") for name in ACTS]).records)
    assert set(GeminiReader.RECORDS) <= found["RECORDS"]
    for table in ("MESSAGES", "DECISIONS", "FIELDS"):
        assert set(getattr(GeminiReader, table)._functions) <= found[table], table


def test_unknown_kinds_are_counted() -> None:
    log = GeminiLog()
    log.records.append({"$set": {"novelField": FOREIGN}})
    log.write(log.made("novelty", FOREIGN))
    log.records.append({"data": FOREIGN})
    events, problems = read(reader_of("gemini"), [lines(*log.records)])
    assert [problem.detail for problem in problems] == [
        "field novelField",
        "message novelty",
        "a record without a type",
    ]
    assert [kind for kind, _ in brief(events)] == ["info"], "a message is kept, anything else is counted only"


def test_the_contexts_of_the_host_are_not_kept() -> None:
    log = GeminiLog()
    ACTS["driven"](log, "")
    events, _ = read(reader_of("gemini"), [lines(*log.records)])
    assert not any(CONTEXT in words or "editor context" in words for _, words in brief(events))


def test_a_review_of_a_plan_has_the_users_words_which_run_nothing() -> None:
    log = GeminiLog()
    ACTS["planned"](log, "use tabs\n\nThe plan is stored at: x\n::stop")
    events, _ = read(reader_of("gemini"), [lines(*log.records)])
    decisions = [event for event in events if isinstance(event, Decision)]
    assert [event.status for event in decisions] == ["rejected", "accepted"]
    words = "use tabs\n\nThe plan is stored at: x\n::stop"
    assert decisions[0].metadata == {"plan": "plans/a.md", "feedback": words}
    assert [event.content for event in events if isinstance(event, UserMessage)] == [words]
    assert (runs(events), left_out(events)) == ([], ["stop"])


def test_a_sub_agent_is_known_by_the_call_that_started_it() -> None:
    log = GeminiLog()
    ACTS["delegated"](log, "look around")
    reader = reader_of("gemini")
    events, _ = read(reader, [lines(*log.records)])
    call_id = next(event.tool_call_id for event in events if hasattr(event, "tool_call_id"))
    assert list(reader.started.values()) == [call_id]
    child = reader_of("gemini", session="agent-2", parent="s")
    task = [
        {"sessionId": "agent-2", "projectHash": "x", "kind": "subagent"},
        log.made("user", "look\n::stop"),
    ]
    assert brief(read(child, [lines(*task)])[0]) == [("assistant", "look\n::stop")]
    assert child.info.parent_id == "s"


def test_the_model_is_the_one_that_answered() -> None:
    log = GeminiLog()
    log.say("Yes.")
    (event,) = read(reader_of("gemini"), [lines(*log.records)])[0]
    assert getattr(event, "model", None) == "gemini-x"


def test_directories_that_are_added_belong_to_the_session() -> None:
    reader = reader_of("gemini")
    read(reader, [lines({"$set": {"directories": ["/w"]}}, {"$set": {"directories": ["/w", "/v"]}})])
    assert (reader.info.cwd, reader.folders) == ("/w", ["/w", "/v"])
