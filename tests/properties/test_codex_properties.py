"""Any conversation with Codex, in any of its versions: each thing once and in order, and only what the user typed runs."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from corpora.codex import ACTS, Act, Turns, Version, expected, log
from corpora.codex_migration import migrated
from kato.assistants.codex import CodexDocument
from kato.assistants.contract import LogFile, Reader
from kato.core import grammar
from kato.core.events import ConversationEvent, decode_line, encode_line
from providers.reading import brief, encoded, left_out, lines, read, reader_of, runs

LINES = st.sampled_from(
    ["go on", "why does <div> not close?", "a < b > c ü🎉", "- one", "# A heading", "`::stop` in code", "::record", "::capture n.md"]
)  # fmt: skip
WORDS = st.lists(LINES, min_size=1, max_size=3).map("\n".join)
ACT = st.builds(
    Act,
    kind=st.sampled_from(ACTS),
    text=WORDS,
    result=WORDS,
    exit_code=st.sampled_from([0, 0, 1, 2]),
    is_reversed=st.booleans(),
)
TURNS = st.lists(st.lists(ACT, max_size=6), min_size=1, max_size=3)
VERSIONS = st.sampled_from(Version)


def typed_commands(turns: Turns) -> list[str]:
    """The commands in what the user typed."""
    texts = [act.text for turn in turns for act in turn if act.kind == "said"]
    return [command.name for text in texts for command in grammar.parse(text)[0]]


def ids(events: list[ConversationEvent]) -> list[str]:
    return [event.event_id for event in events]


def opened() -> Reader:
    return reader_of("codex")


@given(turns=TURNS, version=VERSIONS)
def test_each_thing_is_emitted_once_and_in_order(turns: Turns, version: Version) -> None:
    events, problems = read(opened(), [lines(*log(turns, version))])
    assert brief(events) == expected(turns, version)
    assert problems == []
    assert len(set(ids(events))) == len(events)


@given(turns=TURNS, version=VERSIONS)
def test_commands_run_exactly_where_the_user_typed_them(turns: Turns, version: Version) -> None:
    events, _ = read(opened(), [lines(*log(turns, version))])
    assert (runs(events), left_out(events)) == (typed_commands(turns), [])


@given(turns=TURNS, version=VERSIONS, cuts=st.lists(st.floats(0, 1), max_size=5))
def test_a_log_gives_the_same_events_however_it_is_cut(
    turns: Turns, version: Version, cuts: list[float]
) -> None:
    data = lines(*log(turns, version))
    ends = [0, *sorted(int(cut * len(data)) for cut in cuts), len(data)]
    events, _ = read(opened(), [data[start:end] for start, end in pairwise(ends)])
    assert encoded(events) == encoded(read(opened(), [data])[0])


@given(turns=TURNS, version=VERSIONS)
def test_a_pause_behind_each_record_changes_no_id(turns: Turns, version: Version) -> None:
    """Where the log says what each part is, no command is lost either."""
    records = log(turns, version)
    reader = opened()
    slowly = [event for record in records for event in read(reader, [lines(record)])[0]]
    at_once, _ = read(opened(), [lines(*records)])
    assert ids(slowly) == ids(at_once)
    if version is Version.KINDS:
        assert runs(slowly) == typed_commands(turns)


@given(turns=TURNS, has_turns=st.booleans())
def test_a_log_that_codex_migrates_gives_the_same_ids(turns: Turns, has_turns: bool) -> None:
    """Nothing is stored a second time."""
    about_turns = ("task_started", "task_complete")
    records = [
        record
        for record in log(turns, Version.EVENTS)
        if has_turns
        or (record["type"] != "turn_context" and record["payload"].get("type") not in about_turns)
    ]
    before, _ = read(opened(), [lines(*records)])
    after, problems = read(opened(), [lines(*migrated(records))])
    assert ids(after) == ids(before)
    assert brief(after) == brief(before)
    assert runs(after) == runs(before)
    assert problems == []


@given(turns=TURNS, version=VERSIONS)
def test_no_data_and_no_text_of_the_host_is_kept(turns: Turns, version: Version) -> None:
    events, _ = read(opened(), [lines(*log(turns, version))])
    for event in encoded(events):
        assert b"QUJDQUJD" not in event
        assert b"<INSTRUCTIONS>" not in event
        assert b"permissions instructions" not in event


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from("session items id timestamp type role content text call_id arguments output".split()), inner, max_size=6),
    ),
    max_leaves=24,
)  # fmt: skip


@given(session=JSON, items=JSON)
def test_any_document_gives_valid_events_or_a_problem(session: Any, items: Any) -> None:
    reader = CodexDocument(LogFile("s", rewritten=True))
    events, problems = read(reader, [json.dumps({"session": session, "items": items}).encode()])
    for event in events:
        assert decode_line(encode_line(event)) == event
    assert events or problems or not items or isinstance(items, list)
