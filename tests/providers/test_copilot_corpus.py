"""Any conversation that Copilot's current versions can write is read as it was held.

Each message once, in its order, no unknown kind, commands only where the user typed them, and the same ids however the log is
cut into pieces.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import copilot as corpus
from kato.assistants.copilot import answer, cli, jetbrains, transcripts
from kato.core import grammar
from kato.core.events import AssistantMessage, ConversationEvent, decode_line, encode_line
from providers.reading import Json, brief, encoded, lines, read, reader_of, runs

Noise = Callable[[], Iterable[Json]]
EVENTS: dict[str, Callable[[Sequence[corpus.Turn], Noise], list[Json]]] = {
    "cli": corpus.cli,
    "transcript": corpus.transcript,
    "jetbrains": corpus.jetbrains,
}
#: Kinds that hold nothing of the conversation, each with text of the host.
IGNORED = [
    {"type": kind.replace("*", "x"), "data": {"content": corpus.FOREIGN, "message": corpus.FOREIGN}}
    for kind in (*transcripts.IGNORED, *cli.IGNORED, *jetbrains.IGNORED)
]


def noise_of(chance: random.Random) -> Noise:
    return lambda: [dict(chance.choice(IGNORED))] if chance.random() < 0.3 else []


def typed_commands(script: Sequence[corpus.Turn]) -> list[str]:
    return [command.name for turn in script for command in grammar.parse(turn.typed)[0]]


def check(
    records: Sequence[Json], script: Sequence[corpus.Turn], cut: int, denied: str = corpus.DENIED
) -> list[ConversationEvent]:
    """Reads the log whole and in two pieces; gives the events."""
    data = lines(*records)
    events, problems = read(reader_of("copilot"), [data])
    assert problems == []
    assert brief([one for one in events if one.session_id == "s"]) == corpus.expected(script, denied)
    assert runs(events) == typed_commands(script)
    assert len({one.event_id for one in events}) == len(events)
    again, _ = read(reader_of("copilot"), [data[: cut % len(data)], data[cut % len(data) :]])
    assert encoded(again) == encoded(events)
    return events


@pytest.mark.parametrize("store", EVENTS)
@given(script=corpus.SCRIPTS, chance=st.randoms(use_true_random=False), cut=st.integers(0, 1 << 20))
def test_events_give_the_conversation(
    store: str, script: list[corpus.Turn], chance: random.Random, cut: int
) -> None:
    check(EVENTS[store](script, noise_of(chance)), script, cut)


@given(script=corpus.SCRIPTS, cut=st.integers(0, 1 << 20))
def test_each_sub_agent_of_the_cli_is_a_session_under_its_call(script: list[corpus.Turn], cut: int) -> None:
    events = check(corpus.cli(script), script, cut)
    sessions = list(dict.fromkeys(one.session_id for one in events if one.session_id != "s"))
    emitted = [brief([one for one in events if one.session_id == session]) for session in sessions]
    assert emitted == corpus.agents_of(script)


@given(script=corpus.SCRIPTS, streamed=st.randoms(use_true_random=False), cut=st.integers(0, 1 << 20))
def test_a_state_gives_the_conversation(script: list[corpus.Turn], streamed: random.Random, cut: int) -> None:
    records = list(corpus.chat_session(script, lambda: streamed.random() < 0.5))
    events = check(records, script, cut, corpus.DENIED_IN_A_STATE)
    assert {one.model for one in events if isinstance(one, AssistantMessage)} <= {"gpt-5.2"}


@given(script=corpus.SCRIPTS, streamed=st.randoms(use_true_random=False), at=st.integers(0, 1 << 20))
def test_a_state_that_is_replaced_in_between_gives_the_same_events(
    script: list[corpus.Turn], streamed: random.Random, at: int
) -> None:
    """VS Code replaces the log by one record from time to time; the reader starts again, and the ids are the same."""
    records = list(corpus.chat_session(script, lambda: streamed.random() < 0.5))
    reader = reader_of("copilot")
    first, _ = read(reader, [lines(*records[: at % len(records)])])
    reader.restart()
    again, _ = read(reader, [lines(*records)])
    whole, _ = read(reader_of("copilot"), [lines(*records)])
    assert {one.event_id for one in first} <= {one.event_id for one in whole}
    assert encoded(again) == encoded(whole)


# --- Any values under the formats' own names --------------------------------------------------------------

KEYS = st.sampled_from(
    """content text value data result kind message title toolCallId toolName arguments toolRequests requestId feedback
    description prompt parentToolCallId source turnId model summary reason status thinking reasoningText renderedMessage
    isConfirmed type toolSpecificData commandLine original userEdited resultDetails output isText mimeType base64Data input
    terminalCommandOutput terminalCommandState exitCode rawInput subAgentInvocationId questions options id selectedValue
    freeformValue isUsed feedbackOverall action uri originalUri path editKind diff added edits range resolved resolvedModel
    actualModelId systemMessage stopReason resultError permissionRequest error attachments displayName context cwd""".split()
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-1, 5),
        st.sampled_from(
            ["", "c1", "denied-by-rules", corpus.FOREIGN, "terminal", "subagent", "/w/a.py", "{"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=16,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=8)
CALLS = st.sampled_from([None, "c1", "c2"])
ANY_EVENT = st.builds(
    lambda kind, data, agent, number: {"type": kind, "data": data, "agentId": agent, "id": f"e{number}"},
    st.sampled_from(sorted({*transcripts.KINDS, *cli.KINDS, *jetbrains.KINDS})),
    OBJECTS,
    CALLS,
    st.integers(0, 99),
)
ANY_PART = st.builds(
    lambda kind, part, call: part | {"kind": kind, "toolCallId": call},
    st.sampled_from([*answer.KINDS, "toolInvocationSerialized"]),
    OBJECTS,
    CALLS,
)
ANY_STATE = st.builds(
    lambda parts, fields: {"kind": 0, "v": {"requests": [fields | {"requestId": "r", "response": parts}]}},
    st.lists(ANY_PART, max_size=5),
    OBJECTS,
)


@given(records=st.lists(st.one_of(ANY_EVENT, ANY_STATE), max_size=6), cut=st.integers(0, 2000))
def test_any_values_in_known_records_give_valid_events(records: list[Json], cut: int) -> None:
    data = lines(*records)
    whole, problems = read(reader_of("copilot"), [data])
    parts, again = read(reader_of("copilot"), [data[:cut], data[cut:]])
    for one in whole:
        assert decode_line(encode_line(one)) == one
    assert (encoded(parts), again) == (encoded(whole), problems)
    assert [one.detail for one in problems if one.kind == "unknown_kind"] == []
