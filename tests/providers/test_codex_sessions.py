"""Codex's rollouts: sessions, forks, sub-agents, first generations."""

import codecs
import json

import pytest

from kato.assistants.codex import CODEX, CodexDocument, CodexReader
from kato.assistants.contract import LogFile, Surroundings
from kato.core.events import ProviderInfo
from providers.codex_records import (
    at,
    brief_of,
    copied_of,
    event,
    kinds_item,
    line,
    numbered,
    text_item,
    user_item,
)
from providers.reading import Json, brief, lines, read, reader_of, runs


@pytest.mark.parametrize("source", [{"subagent": "review"}, {"subagent": {"other": "guardian"}}])
def test_the_task_of_a_reviewer_is_not_the_users_word(source: Json) -> None:
    meta = line("session_meta", id="s", cwd="/w", cli_version="0.150.0", source=source)
    assert brief_of(meta, user_item("review\n::capture x.md")) == [("assistant", "review\n::capture x.md")]


def test_the_first_meta_counts_and_a_sub_agent_names_its_parent() -> None:
    reader = reader_of("codex")
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p1", "depth": 1, "agent_nickname": "Ada"}}}
    meta = line("session_meta", id="s", cwd="/w", cli_version="0.150.0", source=spawned)
    copied = line("session_meta", id="old", cwd="/old", cli_version="0.1")
    own = at("2026-06-01T00:00:00.000Z", user_item("look\n::capture x.md"))
    before = user_item("what the parent was told")
    begun = [at("2026-05-31T00:00:00.000Z", record) for record in (meta, copied, before)]
    events, _ = read(reader, [lines(*begun, own)])
    assert (reader.info.cwd, reader.info.version, reader.info.parent_id, reader.info.title) == (
        "/w",
        "0.150.0",
        "p1",
        "Ada",
    )
    assert brief(events) == [("assistant", "look\n::capture x.md")]


#: A fork made at 2026-05-01T12:00:00Z, and turns that began an hour before, and a moment after.
FORK = "019de368-f600-7000-8000-000000000000"
OLD_TURN, NEW_TURN = "019de332-0780-7000-8000-000000000000", "019de368-f605-7000-8000-000000000000"


@pytest.mark.parametrize("copied_at", ["2026-05-01T11:00:00.000Z", "2026-05-01T12:00:00.030Z"])
def test_a_forks_copied_history_is_history_whatever_its_times_say(copied_at: str) -> None:
    reader = reader_of("codex", session=FORK)
    records = [
        line("session_meta", id=FORK, forked_from_id="root", cwd="/w", cli_version="0.149.0"),
        line("session_meta", id="root", cwd="/elsewhere"),
        event("task_started", turn_id=OLD_TURN),
        user_item("::capture old.md"),
        event("user_message", message="::capture old.md"),
        text_item("copied"),
        user_item("::export last.md"),
        event("task_started", turn_id=NEW_TURN),
        user_item("::capture new.md"),
        event("user_message", message="::capture new.md"),
    ]
    moments = [copied_at] * 7 + ["2026-05-01T12:00:00.500Z"] * 3
    records = [at(moment, record) for moment, record in zip(moments, records, strict=True)]
    events, _ = read(reader, [lines(*records)])
    assert copied_of(reader, events) == {
        "::capture old.md": True,
        "::export last.md": True,
        "::capture new.md": False,
    }
    boundary = [kind for kind, _ in brief(events)].index("info")
    assert brief(events)[boundary:][1:] == [("user", "::capture new.md")], (
        "the boundary stands where the copy ends"
    )
    assert reader.info.cwd == "/w"


def test_a_second_sessions_meta_begins_a_copy_also_where_the_first_names_no_fork() -> None:
    reader = reader_of("codex", session=FORK)
    records = [
        line("session_meta", id=FORK, cwd="/w", cli_version="0.149.0"),
        line("session_meta", id="root", cwd="/elsewhere"),
        event("user_message", message="::capture old.md"),
        event("task_started", turn_id=NEW_TURN),
        event("user_message", message="::capture new.md"),
    ]
    events, _ = read(reader, [lines(*[at("2026-05-01T12:00:00.040Z", record) for record in records])])
    assert copied_of(reader, events) == {"::capture old.md": True, "::capture new.md": False}
    assert ("info", "The conversation was forked from another one.") in brief(events)


def test_records_without_a_time_have_that_of_their_session() -> None:
    meta: Json = {"id": "s", "timestamp": "2025-08-01T10:00:00.000Z", "instructions": None, "git": {}}
    (said,), _ = read(reader_of("codex"), [lines(meta, {"role": "user", "type": "message", "content": "hi"})])
    assert said.timestamp.year == 2025


def test_where_turns_have_no_time_what_is_said_well_after_the_fork_is_its_own() -> None:
    reader = reader_of("codex", session="s")
    meta = line("session_meta", id="s", forked_from_id="root", timestamp="2026-05-01T12:00:00.000Z")
    records = [
        at("2026-05-01T12:00:00.000Z", meta),
        at("2026-05-01T12:00:01.000Z", event("user_message", message="::capture old.md")),
        at("2026-05-01T12:00:09.000Z", event("user_message", message="::capture new.md")),
    ]
    events, _ = read(reader, [lines(*records)])
    assert copied_of(reader, events) == {"::capture old.md": True, "::capture new.md": False}


def test_a_sub_agent_that_begins_with_its_parents_history_gives_its_own_part() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1}}}
    records = [
        line("session_meta", id=FORK, forked_from_id="root", cwd="/w", source=spawned),
        event("task_started", turn_id=OLD_TURN),
        user_item("the parent's"),
        text_item("the parent's answer"),
        event("task_started", turn_id=NEW_TURN),
        user_item("look"),
        text_item("I did"),
    ]
    records = [at("2026-05-01T12:00:00.100Z", record) for record in records]
    events, _ = read(reader_of("codex", session=FORK), [lines(*records)])
    assert brief(events) == [("assistant", "look"), ("assistant", "I did")]


def test_the_first_generations_are_read() -> None:
    records = [
        {"timestamp": "2025-09-10T12:00:00Z", "role": "user", "content": "branch?", "model": "o4"},
        {"timestamp": "2025-09-10T12:00:01Z", "type": "function_call", "name": "shell", "arguments": '{"command": ["git"]}', "call_id": "c1"},
        {"record_type": "state"},
        {"timestamp": "2025-09-10T12:00:02Z", "type": "function_call_output", "call_id": "c1", "output": "main"},
        {"timestamp": "2025-09-10T12:00:03Z", "role": "assistant", "content": "main"},
    ]  # fmt: skip
    assert brief_of(*records) == [
        ("user", "branch?"),
        ("call", "shell"),
        ("result", "main"),
        ("assistant", "main"),
    ]


def test_ordinals_say_where_a_copy_ends() -> None:
    moment = "2026-05-01T12:00:09.000Z"  # long after the fork
    meta = line("session_meta", id=FORK, forked_from_id="root", forked_from_ordinal_exclusive=3, cwd="/w")
    records = numbered(0, meta, event("user_message", message="::capture a.md"), text_item("x"), event("user_message", message="::capture b.md"))  # fmt: skip
    reader = reader_of("codex", session=FORK)
    events, _ = read(reader, [lines(*[at(moment, record) for record in records])])
    assert copied_of(reader, events) == {"::capture a.md": True, "::capture b.md": False}


def test_a_sub_agents_own_history_begins_at_its_ordinal() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1}}}
    meta = line("session_meta", id=FORK, cwd="/w", source=spawned, subagent_history_start_ordinal=3)
    records = numbered(0, meta, user_item("the parent's"), text_item("the parent's answer"), user_item("look\n::capture x.md"), text_item("I did"))  # fmt: skip
    events, _ = read(reader_of("codex", session=FORK), [lines(*records)])
    assert brief(events) == [("assistant", "look\n::capture x.md"), ("assistant", "I did")]


def test_a_fork_that_leaves_its_history_where_it_is_copies_nothing() -> None:
    base = {"thread_id": "root", "end_ordinal_exclusive": 67, "end_byte_offset": 9}
    meta = line(
        "session_meta", id=FORK, forked_from_id="root", forked_from_ordinal_exclusive=67, history_base=base
    )
    reader = reader_of("codex", session=FORK)
    events, _ = read(reader, [lines(*numbered(0, meta, event("user_message", message="::capture a.md")))])
    assert brief(events) == [
        ("info", "The conversation was forked from another one."),
        ("user", "::capture a.md"),
    ]
    assert copied_of(reader, events) == {"::capture a.md": False}


def used(number: int) -> Json:
    total = {"input_tokens": number, "cached_input_tokens": 0, "output_tokens": 1}
    return event("token_count", info={"total_token_usage": total})


def test_a_fork_counts_its_own_tokens() -> None:
    meta = line("session_meta", id=FORK, forked_from_id="root", forked_from_ordinal_exclusive=3, cwd="/w")
    records = numbered(0, meta, used(100), used(300), used(340), used(350))
    reader = reader_of("codex", session=FORK)
    read(reader, [lines(*records[:3])])
    assert reader.info.tokens is None
    read(reader, [lines(*records[3:])])
    assert reader.info.tokens == 50


def test_the_tokens_of_a_fork_whose_history_is_in_another_file_are_unknown() -> None:
    base = {"thread_id": "root", "end_ordinal_exclusive": 67, "end_byte_offset": 9}
    meta = line("session_meta", id=FORK, forked_from_id="root", history_base=base)
    reader = reader_of("codex", session=FORK)
    read(reader, [lines(meta, used(340))])
    assert reader.info.tokens is None


def with_ordinal(number: int, record: Json) -> Json:
    """The ordinal stands where Codex writes it."""
    return {"timestamp": record["timestamp"], "ordinal": number} | record


def test_a_line_that_was_copied_is_not_said_again() -> None:
    records = [
        with_ordinal(number, record)
        for number, record in enumerate(
            [event("user_message", message="go on"), text_item("Done."), text_item("Done.")]
        )
    ]
    twice = [record for record in records for _ in range(2)]
    said = [("user", "go on"), ("assistant", "Done."), ("assistant", "Done.")]
    for written in (records, twice, records + records):
        assert brief_of(*written) == said, written


def test_the_same_words_with_another_ordinal_are_said_again() -> None:
    typed = event("user_message", message="go on")
    assert brief_of(*(with_ordinal(number, typed) for number in range(3))) == [("user", "go on")] * 3


def test_a_thread_that_went_back_is_marked() -> None:
    base = {"thread_id": "r1", "end_ordinal_exclusive": 7, "end_byte_offset": 9}
    meta = line("session_meta", id="s", history_base=base)
    events, _ = read(reader_of("codex"), [lines(meta, event("user_message", message="again"))])
    assert brief(events) == [("info", "The conversation went back to an earlier message."), ("user", "again")]
    assert isinstance(events[0], ProviderInfo)
    assert events[0].subtype == "rewind"


def test_the_folders_of_later_turns_are_known() -> None:
    reader = reader_of("codex")
    records = [
        line("session_meta", id="s", cwd="/w"),
        *(line("turn_context", turn_id="t", cwd=folder) for folder in ("/w", "/v", "/v")),
    ]
    read(reader, [lines(*records)])
    assert (reader.info.cwd, list(reader.folders)) == ("/w", ["/w", "/v"])


@pytest.mark.parametrize(
    "fields",
    [
        {"thread_source": "subagent"},
        {"thread_source": "guardian_review"},
        {"source": {"internal": "memory_consolidation"}},
    ],
)
def test_a_session_that_the_user_did_not_start_holds_no_words_of_the_users(fields: Json) -> None:
    meta = line("session_meta", id="s", cwd="/w") | {}
    meta["payload"] |= fields
    assert brief_of(meta, event("user_message", message="go\n::stop")) == [("assistant", "go\n::stop")]


def test_a_mark_at_the_beginning_hides_no_parent() -> None:
    """Without its first record, a sub-agent's log would be a conversation of the user's."""
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "p1", "agent_nickname": "Ada"}}}
    meta = line("session_meta", id="s", cwd="/w", source=spawned)
    reader = reader_of("codex")
    events, problems = read(
        reader, [codecs.BOM_UTF8 + lines(meta, event("user_message", message="do it\n::stop"))]
    )
    assert (brief(events), problems) == ([("assistant", "do it\n::stop")], [])
    assert reader.info.parent_id == "p1"


# --- Sub-agents ----------------------------------------------------------------------------------------


def test_a_message_that_a_sub_agent_inherited_is_not_its_own() -> None:
    spawned = {
        "subagent": {"thread_spawn": {"parent_thread_id": "root", "depth": 1, "agent_path": "/root/a"}}
    }
    inherited = user_item("the parent's words\n::stop") | {"metadata": {"inherited_user_message": True}}
    records = [line("session_meta", id="s", source=spawned), inherited, user_item("look"), text_item("I did")]
    assert brief_of(*records) == [("assistant", "look"), ("assistant", "I did")]


def test_an_inherited_message_in_a_session_of_the_users_runs_nothing() -> None:
    inherited = kinds_item(user__text="before\n::stop") | {"metadata": {"inherited_user_message": True}}
    reader = reader_of("codex")
    records = [line("session_meta", id="s"), inherited, kinds_item(user__text="::record"), text_item("ok")]
    events, _ = read(reader, [lines(*records)])
    assert copied_of(reader, events) == {"before\n::stop": True, "::record": False}


def test_a_review_names_the_root_of_its_thread_where_it_names_no_parent() -> None:
    reader = reader_of("codex")
    read(reader, [lines(line("session_meta", id="s", session_id="root", source={"subagent": "review"}))])
    assert (reader.info.parent_id, reader.info.title) == ("root", "review")


# --- The logs of 2025 in one document --------------------------------------------------------------------

WHEN = "2025-05-05T19:24:54.000Z"
SHELL = '{"command": ["bash", "-lc", "ls"], "workdir": "/w"}'
ITEMS: list[Json] = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list the files\n::capture a.md"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "duration_ms": 5},
    {"type": "function_call", "id": "fc_1", "name": "shell", "arguments": SHELL, "call_id": "c1", "status": "completed"},
    {"type": "function_call_output", "call_id": "c1", "output": '{"output": "a.py", "metadata": {"exit_code": 0}}'},
    {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "a.py"}]},
]  # fmt: skip


def document(*items: Json) -> bytes:
    session = {"timestamp": WHEN, "id": "s", "instructions": "Be brief.\n::capture evil.md"}
    return json.dumps({"session": session, "items": list(items)}, indent=2).encode()


def test_a_log_in_one_document_is_read() -> None:
    reader = CodexDocument(LogFile("s", rewritten=True))
    events, problems = read(reader, [document(*ITEMS)[:50], document(*ITEMS)[50:]])
    assert problems == []
    assert brief(events) == [
        ("user", "list the files\n::capture a.md"),
        ("thinking", "hm"),
        ("call", "shell"),
        ("result", "a.py"),
        ("assistant", "a.py"),
    ]
    assert runs(events) == ["capture"]
    assert {one.timestamp.isoformat() for one in events} == {"2025-05-05T19:24:54+00:00"}
    assert (reader.info.cwd, reader.info.session_id) == ("/w", "s")


def test_a_document_that_grows_keeps_its_ids() -> None:
    reader = CodexDocument(LogFile("s", rewritten=True))
    first, _ = read(reader, [document(*ITEMS[:3])])
    reader.restart()
    again, _ = read(reader, [document(*ITEMS)])
    assert [one.event_id for one in again][:3] == [one.event_id for one in first]
    assert len({one.event_id for one in again}) == 5


def test_a_document_of_another_shape_is_counted() -> None:
    for data in (b"[]", b'{"items": 7}', b'{"session": []}'):
        _, problems = read(CodexDocument(LogFile("s", rewritten=True)), [data])
        assert [problem.kind for problem in problems] == ["invalid_record"]
    assert read(CodexDocument(LogFile("s", rewritten=True)), [document({"type": "message"})]) == ([], [])


# --- Files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "session", "is_document", "is_later"),
    [
        ("rollout-2025-05-05-0a1b.json", "0a1b", True, False),
        ("2026/05/05/rollout-2025-05-05-0a1b.json", None, False, False),
        ("2026/05/11/rollout-2026-05-11T11-26-55-019e1625-789d.jsonl.zst", "019e1625-789d", False, False),
        ("2026/05/11/rollout-2026-05-11T11-26-55-019e1625-789d_019e9999.jsonl", "019e1625-789d", False, True),
        ("2026/05/11/rollout-2026-05-11T11-26-55-019e1625-789d.jsonl.tmp", None, False, False),
    ],
)
def test_which_files_are_logs_of_codex(
    path: str, session: str | None, is_document: bool, is_later: bool
) -> None:
    found = CODEX.match(path.split("/"))
    assert (None if found is None else found.session_id) == session
    if found is not None:
        assert (found.rewritten, found.is_later_part) == (is_document, is_later)
        reader = CODEX.reader(found, {}, Surroundings({}, "/", "linux"))
        assert isinstance(reader, CodexDocument if is_document else CodexReader)


@pytest.mark.parametrize(
    ("index", "desktop", "expected"),
    [
        (b'{"id": "s", "thread_name": "Mine"}', b'{"thread-titles": {"titles": {"s": "Its own"}}}', "Mine"),
        (b"", b'{"thread-titles": {"titles": {"s": "Its own", "t": "x"}, "order": ["s"]}}', "Its own"),
        (b"", b'{"thread-titles": ["s"], "s": 7}', None),
        (b"", b'{"thread-titles": {"titles": {"s": 7}}', None),
    ],
)
def test_a_title_stands_in_the_index_or_in_the_desktop_apps_state(
    index: bytes, desktop: bytes, expected: str | None
) -> None:
    companions = {"session_index.jsonl": index, ".codex-global-state.json": desktop}
    assert CODEX.reader(LogFile("s"), companions, Surroundings({}, "/", "linux")).info.title == expected


def test_a_title_that_the_user_changes_later_is_taken() -> None:
    reader = CODEX.reader(LogFile("s"), {}, Surroundings({}, "/", "linux"))
    for name in ("First", "Second"):
        reader.take_companions({"session_index.jsonl": f'{{"id": "s", "thread_name": "{name}"}}'.encode()})
        assert reader.info.title == name
    reader.take_companions({"session_index.jsonl": b""})
    assert reader.info.title == "Second"
