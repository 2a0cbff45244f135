"""Properties of the transcript: resumable anywhere, well-formed always, nothing shown is lost."""

from zoneinfo import ZoneInfo

import hypothesis.strategies as st
from hypothesis import given

from builders import Json, assistant, decision, info, struct, system, thinking, tool_call, tool_result, user
from kato.text import next_fence
from kato.transcript import MarkdownOptions, Transcript

UTC = ZoneInfo("UTC")
LINES = st.sampled_from(
    ["```", "````", "~~~", "~~~~ x", "text", "", "  ```py", "> q", "- i", "*", "# h", "</details>"]
)
TEXT = st.text(max_size=40) | st.lists(LINES, max_size=8).map("\n".join)
OPTIONS = st.builds(
    MarkdownOptions,
    include_commentary=st.booleans(),
    include_thinking=st.booleans(),
    include_tool_calls=st.booleans(),
    include_system_events=st.booleans(),
    italicize_user_messages=st.booleans(),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Json]:
    events = []
    for number in range(draw(st.integers(0, 12))):
        text = draw(TEXT)
        call = draw(st.sampled_from(["a", "b"]))
        events.append(
            draw(
                st.sampled_from(
                    [
                        user(text, number),
                        assistant(text, number, phase="final"),
                        assistant(text, number, model="m", phase="commentary"),
                        system(text, number),
                        thinking(text, number),
                        tool_call(text, number, call=call, input={"x": text}),
                        tool_result(text, number, call=call),
                        info(text, number),
                        decision(
                            text, number, metadata={"question": text, "options": [text], "answer": text}
                        ),
                    ]
                )
            )
        )
    return events


@given(conversations(), OPTIONS)
def test_cut_at_every_event_it_is_the_same_text(events: list[Json], options: MarkdownOptions) -> None:
    whole = Transcript(options, UTC)
    text = "".join(whole.feed(struct(one)) for one in events)
    state, pieces = b"", []
    for one in events:
        transcript = Transcript(options, UTC, state)
        pieces.append(transcript.feed(struct(one)))
        state = transcript.state
    assert "".join(pieces) == text


@given(conversations(), OPTIONS)
def test_after_each_piece_no_fence_is_open_and_the_line_is_ended(
    events: list[Json], options: MarkdownOptions
) -> None:
    transcript = Transcript(options, UTC)
    for one in events:
        piece = transcript.feed(struct(one))
        assert piece == "" or piece.endswith("\n")
        fence = None
        for line in piece.split("\n"):
            fence = next_fence(line, fence)
        assert fence is None


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_every_line_of_every_shown_message_is_in_the_note(texts: list[str]) -> None:
    transcript = Transcript(MarkdownOptions(), UTC)
    note = "".join(transcript.feed(struct(user(text, number))) for number, text in enumerate(texts))
    shown = note.split("\n")
    for text in texts:
        for line in (
            text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").rstrip().split("\n")
        ):
            assert line in shown


@given(TEXT, st.integers(1, 10))
def test_a_user_message_cut_where_no_fence_is_open_is_the_same_text(text: str, line: int) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fence = None
    for one in lines[:line]:
        fence = next_fence(one, fence)
    if fence is not None or line > len(lines):
        return
    event = struct(user(text))
    transcript = Transcript(MarkdownOptions(), UTC)
    cut = transcript.feed(event, through_line=line) + transcript.feed(event, after_line=line)
    assert cut == Transcript(MarkdownOptions(), UTC).feed(event)
