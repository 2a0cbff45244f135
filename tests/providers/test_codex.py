"""Codex's rollouts: each message is emitted once, whatever records hold it."""

import pytest

from corpora.codex_migration import migrated
from kato.core.events import AssistantMessage
from providers.codex_records import at, brief_of, completed, event, item, line, text_item, user_item
from providers.reading import Json, brief, lines, read, reader_of, runs

_clock = iter(range(10**6))


@pytest.mark.parametrize(
    "records",
    [
        [user_item("hi"), event("user_message", message="hi")],
        [event("user_message", message="hi"), user_item("hi")],
        [user_item("hi")],
        [event("user_message", message="hi")],
        [user_item("hi"), completed("UserMessage", content=[{"type": "text", "text": "hi"}])],
        [user_item("hi"), event("user_message", message="hi"), completed("UserMessage", content=[{"type": "text", "text": "hi"}])],
    ],
)  # fmt: skip
def test_a_users_message_is_emitted_once_however_many_records_hold_it(records: list[Json]) -> None:
    assert brief_of(*records) == [("user", "hi")]


@pytest.mark.parametrize(
    "records",
    [
        [event("agent_message", message="ok"), text_item("ok")],
        [text_item("ok"), event("agent_message", message="ok")],
        [text_item("ok")],
        [event("agent_message", message="ok"), text_item("ok"), completed("AgentMessage", content=[{"type": "Text", "text": "ok"}])],
    ],
)  # fmt: skip
def test_a_reply_is_emitted_once_however_many_records_hold_it(records: list[Json]) -> None:
    assert brief_of(*records) == [("assistant", "ok")]


def test_what_is_said_again_is_emitted_again() -> None:
    turns: list[Json] = []
    for _ in range(3):
        turns += [user_item("go on"), event("user_message", message="go on")]
        turns += [event("agent_message", message="ok"), text_item("ok")]
    assert brief_of(*turns) == [("user", "go on"), ("assistant", "ok")] * 3


def test_the_id_of_a_message_does_not_depend_on_when_its_twin_is_read() -> None:
    """Between the two records the log can be quiet for a moment."""
    records = [user_item("hi"), event("user_message", message="hi")]
    at_once, _ = read(reader_of("codex"), [lines(*records)])
    reader = reader_of("codex")
    first, _ = read(reader, [lines(records[0])])
    second, _ = read(reader, [lines(records[1])])
    assert [one.event_id for one in (*first, *second)] == [one.event_id for one in at_once]


def test_a_message_with_a_picture_is_emitted_once() -> None:
    """In the model's history the picture stands between two texts of the host's."""
    url = "data:image/png;base64,aaaa"
    blocks = [
        {"type": "input_text", "text": "look\n::capture x.md"},
        {"type": "input_text", "text": "<image name=[Image #1]>"},
        {"type": "input_image", "image_url": url},
        {"type": "input_text", "text": "</image>"},
    ]
    records = [
        item("message", role="user", content=blocks),
        event("user_message", message="look\n::capture x.md", images=[url]),
    ]
    (said,) = brief_of(*records)
    assert said[1].startswith("look\n::capture x.md")
    assert "<" not in said[1]
    assert brief_of(records[0])[0][1].startswith("look\n::capture x.md\n\n[image")


def test_the_model_and_the_phase_come_along() -> None:
    events, _ = read(
        reader_of("codex"),
        [lines(line("turn_context", turn_id="t", cwd="/w", model="gpt-5.5"), text_item("a", phase="commentary"), text_item("b", phase="final_answer"))],
    )  # fmt: skip
    assert [(one.model, one.phase) for one in events if isinstance(one, AssistantMessage)] == [
        ("gpt-5.5", "commentary"),
        ("gpt-5.5", "final"),
    ]


def test_a_compaction_is_marked_once_and_its_history_is_not_emitted_again() -> None:
    history = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "old"}]}]
    once = [line("compacted", message="", replacement_history=history), event("context_compacted")]
    assert brief_of(*once) == [("info", "The conversation was compacted.")]


def test_interruptions_and_rewinds_are_emitted() -> None:
    assert brief_of(
        event("turn_aborted", reason="interrupted"), event("thread_rolled_back", num_turns=2)
    ) == [
        ("info", "The turn ended early: interrupted."),
        ("info", "The last 2 turns were taken back."),
    ]


OLD_TURN, NEW_TURN = "019de332-0780-7000-8000-000000000000", "019de368-f605-7000-8000-000000000000"


def test_records_that_join_a_messages_blocks_differently_are_one() -> None:
    blocks = [{"type": "input_text", "text": "look"}, {"type": "input_text", "text": "::capture x.md"}]
    item_first = item("message", role="user", content=blocks)
    assert [
        words for _, words in brief_of(item_first, event("user_message", message="look\n::capture x.md"))
    ] == ["look\n::capture x.md"]
    windows = event("user_message", message="look\r\n::stop")
    assert len(brief_of(user_item("look\n::stop"), windows)) == 1


def test_unknown_events_and_items_are_kept_and_unknown_records_are_counted_only() -> None:
    """What was said stands in events and items; other records are bookkeeping, and may be long."""
    events, problems = read(reader_of("codex"), [lines(event("novelty"), item("novelty"), line("novelty"))])
    assert [kind for kind, _ in brief(events)] == ["info"] * 2
    assert [problem.detail for problem in problems] == [
        "event_msg novelty",
        "response_item novelty",
        "novelty",
    ]


PLAN = "# Plan\n\n1. Move the parser\n2. Test it"


def test_a_plan_is_emitted_once_without_its_tags() -> None:
    planned = completed("Plan", text=f"{PLAN}\n")
    tagged = f"<proposed_plan>\n{PLAN}\n</proposed_plan>"
    assert brief_of(planned, text_item(tagged, phase="final_answer")) == [("assistant", PLAN)]
    assert brief_of(text_item(tagged)) == [("assistant", PLAN)]
    around = text_item(f"Here is the plan.\n\n{tagged}\n")
    shown = event("agent_message", message="Here is the plan.\n")
    for records in ([planned, shown, around], [shown, around, planned], [around]):
        assert sorted(words.strip() for _, words in brief_of(*records)) == [PLAN, "Here is the plan."]
    quoted = f"The tags look so:\n```\n{tagged}\n```"
    assert brief_of(text_item(quoted)) == [("assistant", quoted)]


def test_a_citation_of_the_memory_is_not_part_of_an_answer() -> None:
    cited = "Port 8080.\n\n<oai-mem-citation>\n<citation_entries>\nMEMORY.md:1\n</citation_entries>\n</oai-mem-citation>"
    shown = event("agent_message", message="Port 8080.")
    for records in ([shown, text_item(cited)], [text_item(cited), shown], [text_item(cited)]):
        assert brief_of(*records) == [("assistant", "Port 8080.")]
    quoted = "`<oai-mem-citation>` is a tag"
    assert brief_of(text_item(quoted)) == [("assistant", quoted)]


def test_a_review_and_its_findings_are_emitted_once() -> None:
    output = {"overall_explanation": "Two bugs.", "findings": [{"title": "A", "body": "b"}]}
    whole = "Two bugs.\n\nFull review comments:\n- A"
    answer = [event("agent_message", message=whole), text_item(whole)]
    rest = ("assistant", "Full review comments:\n- A")
    for ended in (
        event("exited_review_mode", review_output=output),
        completed("ExitedReviewMode", review_output=output),
    ):
        assert brief_of(ended, *answer) == [("assistant", "Two bugs."), rest]
        assert brief_of(ended) == [("assistant", "Two bugs.")]
        assert brief_of(ended, event("agent_message", message="Two bugs.")) == [("assistant", "Two bugs.")]
        later = [event("user_message", message="again"), event("agent_message", message="Two bugs.\nStill.")]
        assert brief_of(ended, *later)[-1] == ("assistant", "Two bugs.\nStill.")


def test_the_same_words_in_two_turns_are_two_also_where_their_records_differ_in_kind() -> None:
    turns = [
        event("user_message", message="go on"), event("agent_message", message="ok"),
        user_item("go on"), text_item("ok"),
        completed("UserMessage", content=[{"type": "text", "text": "go on"}]), completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]),
    ]  # fmt: skip
    assert brief_of(*turns) == [("user", "go on"), ("assistant", "ok")] * 3


def test_an_imported_thread_whose_records_have_one_time_is_whole() -> None:
    """All at the moment of the import: time and text alone would make the two questions one."""
    turn = [
        user_item("Q1"),
        event("user_message", message="Q1"),
        event("agent_message", message="A1"),
        text_item("A1"),
    ]
    records = [at("2026-05-01T10:00:00.000Z", record) for record in (*turn, *turn)]
    events, _ = read(reader_of("codex"), [lines(*records)])
    assert brief(events) == [("user", "Q1"), ("assistant", "A1")] * 2
    assert len({one.event_id for one in events}) == 4
    again, _ = read(reader_of("codex"), [lines(record) for record in records])
    assert [one.event_id for one in again] == [one.event_id for one in events]


def test_a_log_that_is_rewritten_with_other_kinds_of_record_keeps_its_ids() -> None:
    """Codex can move an old log to the consolidated records: other records, other times, the same turns."""
    begun = event("task_started", turn_id="t1")
    old = [
        begun,
        user_item("hi"),
        event("user_message", message="hi"),
        event("agent_message", message="ok"),
        text_item("ok"),
    ]
    new = [
        begun,
        user_item("hi"),
        completed("UserMessage", content=[{"type": "text", "text": "hi"}]),
        text_item("ok"),
        completed("AgentMessage", content=[{"type": "Text", "text": "ok"}]),
    ]
    ids = [[one.event_id for one in read(reader_of("codex"), [lines(*records)])[0]] for records in (old, new)]
    assert ids[0] == ids[1]


def test_an_item_of_an_unknown_kind_is_kept_and_counted() -> None:
    events, problems = read(reader_of("codex"), [lines(completed("Novelty", text="words"))])
    assert [kind for kind, _ in brief(events)] == ["info"]
    assert [problem.detail for problem in problems] == ["item Novelty"]


@pytest.mark.parametrize("in_turns", [True, False])
def test_a_log_that_codex_migrates_gives_the_same_events(in_turns: bool) -> None:
    turn: list[Json] = [
        user_item("go on\n::record"),
        event("user_message", message="go on\n::record"),
        event("agent_reasoning", text="first"),
        event("agent_reasoning", text="second"),
        item("reasoning", summary=[{"type": "summary_text", "text": text} for text in ("first", "second")]),
        event("agent_message", message="ok"),
        text_item("ok"),
        event("context_compacted"),
    ]
    begun = [event("task_started", turn_id="t1")] if in_turns else []
    records = [*begun, *(one | {"timestamp": f"2026-05-01T10:00:{second:02d}Z"} for second, one in enumerate([*turn, *turn]))]  # fmt: skip
    before, _ = read(reader_of("codex"), [lines(*records)])
    after, problems = read(reader_of("codex"), [lines(*migrated(records))])
    kinds = [kind for kind, _ in brief(before)]
    assert kinds == ["user", "thinking", "thinking", "assistant", "info"] * 2
    assert [(one.event_id, *words) for one, words in zip(after, brief(after), strict=True)] == [
        (one.event_id, *words) for one, words in zip(before, brief(before), strict=True)
    ]
    assert runs(after) == runs(before) == ["record", "record"]
    assert problems == []


def test_an_error_that_ends_a_turn_is_emitted_once() -> None:
    ended = event("task_complete", turn_id="t", error={"message": "You've hit your usage limit."})
    expected = [("info", "You've hit your usage limit.")]
    assert brief_of(ended) == expected
    assert brief_of(event("error", message="You've hit your usage limit."), ended) == expected
    aborted = event("turn_aborted", reason="interrupted", error={"message": "No network."})
    assert brief_of(aborted) == [("info", "No network."), ("info", "The turn ended early: interrupted.")]


def test_what_one_agent_wrote_to_another_is_emitted_once() -> None:
    text = "Message Type: FINAL_ANSWER\nPayload:\nIt works."
    delivered = line("inter_agent_communication", author="/root/a", recipient="/root", content=text)
    part = {"type": "input_text", "text": text}
    history = item(
        "agent_message",
        author="/root/a",
        content=[part, {"type": "encrypted_content", "encrypted_content": "x"}],
    )
    for records in ([delivered], [delivered, history], [history, delivered]):
        assert brief_of(*records) == [("info", f"/root/a: {text}")]
