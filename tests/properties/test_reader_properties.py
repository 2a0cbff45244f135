"""Whatever a log holds, a reader emits valid events and never raises."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kato.assistants.registry import ASSISTANTS
from kato.core.events import decode_line, encode_line
from providers.reading import read, reader_of

KEYS = st.sampled_from(
    """type message content role uuid timestamp payload item id kind v k i requests response requestId data toolCalls
    toolRequests messages $set $rewindTo parentUuid isSidechain attachment prompt input name arguments call_id output
    answers questions options text thinking tool_use_id toolUseResult modelState value source subtype cwd version
    displayContent thoughts args result status summary title toolCallId inlineReference metadata timings operation
    promptSource origin forkedFrom sessionId continuedInSessionId userFeedback annotations toolDenialKind leafUuid
    is_error stop_reason isMeta commandMode plan message images local_images changes results ordinal history_base
    forked_from_id forked_from_ordinal_exclusive internal_chat_message_metadata_passthrough content_item_kinds turn_id
    goal objective review_output overall_explanation""".split()
)
WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        """user assistant system gemini text thinking tool_use tool_result event_msg response_item message user_message
        agent_message reasoning function_call function_call_output exec_command_end item_completed attachment
        queued_command session.start user.message assistant.message tool.execution_start write_stdin AskUserQuestion
        request_user_input inlineReference toolInvocationSerialized questionCarousel requests compact_boundary
        queue-operation enqueue dequeue remove popAll continued-in ExitPlanMode typed human channel custom-title summary
        item_completed UserMessage AgentMessage FileChange Extension session_meta turn_context thread_goal_updated
        user.text spawnAgent CollabAgentToolCall 2026-05-01T10:00:00Z {"questions":[{}]} <system-reminder>x</system-reminder>""".split()
    ),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=24,
)
RECORDS = st.dictionaries(KEYS, JSON, max_size=8)


@pytest.mark.parametrize("provider", [assistant.name for assistant in ASSISTANTS])
@given(records=st.lists(RECORDS, max_size=6), cut=st.integers(0, 400))
def test_any_records_give_valid_events(provider: str, records: list[Any], cut: int) -> None:
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    whole, problems = read(reader_of(provider), [data])
    parts, again = read(reader_of(provider), [data[:cut], data[cut:]])
    for event in whole:
        assert decode_line(encode_line(event)) == event
    assert [encode_line(event) for event in parts] == [encode_line(event) for event in whole]
    assert again == problems


@pytest.mark.parametrize("provider", ["gemini", "copilot"])
@given(document=RECORDS)
def test_any_document_gives_valid_events(provider: str, document: Any) -> None:
    for event in read(reader_of(provider, document=True), [json.dumps(document).encode()])[0]:
        assert decode_line(encode_line(event)) == event


@pytest.mark.parametrize("provider", [assistant.name for assistant in ASSISTANTS])
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read(provider: str, data: bytes) -> None:
    read(reader_of(provider), [data, b"\n"])
