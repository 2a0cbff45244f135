"""What happened between client and agent, on its way to a Kato: which source counts, what waits, what is sent."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import assistant, structs, tool_call, user
from channels.agents import Json, answer, call, prompt, repeats, request, says, thinks, update
from kato.app.copies import Copies
from kato.channels.acp.asides import WAIT_SECONDS, Asides
from kato.channels.acp.conversation import Conversation
from kato.channels.acp.feeding import Feeder, fitting
from kato.channels.acp.frames import AGENT, CLIENT
from kato.channels.acp.katos import Katos
from kato.channels.acp.sources import Source, decided
from kato.core import limits
from kato.core.events import AssistantMessage, ToolCall, UserMessage, decode_line
from kato.system import local_sockets

SESSION = "session-1"

# --- Sources ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "found", "may_write_log", "is_over", "expected"),
    [
        (Source.UNDECIDED, None, False, False, Source.ACP),
        (Source.UNDECIDED, None, True, False, Source.HELD),
        (Source.UNDECIDED, "claude", False, False, Source.LOG),
        (Source.UNDECIDED, "toy", True, False, Source.ACP),
        (Source.HELD, None, True, False, Source.HELD),
        (Source.HELD, "claude", True, False, Source.LOG),
        (Source.HELD, "claude", True, True, Source.LOG),
        (Source.HELD, None, True, True, Source.ACP),
        (Source.LOG, None, True, True, Source.LOG),
        (Source.LOG, "toy", False, True, Source.LOG),
        (Source.ACP, "claude", True, True, Source.ACP),
    ],
)
def test_the_source_of_a_session(
    source: Source, found: str | None, may_write_log: bool, is_over: bool, expected: Source
) -> None:
    assert (
        decided(source, found=found, provider="toy", may_write_log=may_write_log, is_over=is_over) is expected
    )


# --- Sentences of Kato between those of the agent ------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], False),
        (["A B-tree "], True),
        (["A B-tree ", "splits. "], False),
        (["Done!"], False),
        (["Why?"], False),
        (["Two steps:"], False),
        (["| a | b |\n"], False),
        (["   "], False),
        (["Run this:\n```sh\n", "make\n"], True),
        (["Run this:\n```sh\n", "make\n```"], False),
    ],
)
def test_whether_the_agent_is_in_the_middle_of_a_sentence(chunks: list[str], expected: bool) -> None:
    desk = Desk()
    desk.open()
    desk.play((CLIENT, prompt(2, "go")), *[(AGENT, says(one)) for one in chunks])
    assert desk.conversation.is_in_sentence(SESSION) is expected
    desk.play((AGENT, call("c", "pending", title="t")))
    assert not desk.conversation.is_in_sentence(SESSION)
    assert not desk.conversation.is_in_sentence("another")


def test_a_thought_of_the_agent_may_be_interrupted() -> None:
    desk = Desk()
    desk.open()
    desk.play((CLIENT, prompt(2, "go")), (AGENT, thinks("I ponder")))
    assert not desk.conversation.is_in_sentence(SESSION)


def test_a_sentence_of_kato_waits_for_the_end_of_the_agents_and_not_for_long() -> None:
    written: list[bytes] = []
    speaking, now = {"a"}, 0.0
    asides = Asides(written.append, lambda session: session in speaking, lambda: now)
    asides.say("a", b"1")
    asides.say("b", b"2")
    asides.look()
    assert written == [b"2"]
    speaking.clear()
    asides.look()
    assert written == [b"2", b"1"]
    speaking.add("a")
    asides.say("a", b"3")
    now = WAIT_SECONDS - 0.1
    asides.look()
    assert written == [b"2", b"1"]
    now = WAIT_SECONDS
    asides.look()
    assert written == [b"2", b"1", b"3"]
    asides.say("a", b"4")
    asides.look(is_over=True)
    asides.look(is_over=True)
    assert written == [b"2", b"1", b"3", b"4"]


# --- The feeder -------------------------------------------------------------------------------------------


class Store:
    """A Kato that remembers what it was asked. `found` answers `find`."""

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.noted: list[Json] = []
        self.followed: list[str] = []
        self.found: Json | None = {}
        self.stored: Json | None = {"accepted": 1}

    def follow(self, folders: tuple[str, ...]) -> None:
        self.followed += folders

    def ask(self, request: Mapping[str, Any], seconds: float) -> Json | None:
        self.asked.append(dict(request))
        if request["op"] == "find":
            return self.found
        return self.stored if request["op"] == "events" else {"message": "will capture"}

    def note(self, request: Mapping[str, Any]) -> None:
        self.noted.append(dict(request))

    @property
    def batches(self) -> list[list[str]]:
        """The contents, or the kinds, of the events of each request."""
        return [
            [one.get("content", one["kind"]) for one in asked["events"]]
            for asked in self.asked
            if asked["op"] == "events"
        ]


class Desk:
    def __init__(self, agent: str = "toy") -> None:
        self.now = 0.0
        self.store = Store()
        self.shown: list[str] = []
        self.conversation = Conversation(
            [agent],
            "run",
            now=lambda: datetime(2026, 11, 26, tzinfo=timezone.utc),
            assistants=("claude", "codex"),
        )
        self.feeder = Feeder(self.conversation, self.store, self.show, "run", lambda: self.now)

    def show(self, session: str, sentence: str, *, is_failure: bool) -> None:
        self.shown.append(f"{session}: {'failed: ' if is_failure else ''}{sentence}")

    def play(self, *messages: tuple[int, Json]) -> None:
        for side, message in messages:
            self.feeder.take(self.conversation.take(side, message))
        self.feeder.flush()

    def open(self) -> None:
        self.play((CLIENT, request(1, "session/new", cwd="/work")), (AGENT, answer(1, sessionId=SESSION)))


END = (AGENT, answer(2, stopReason="end_turn"))


def test_events_of_a_turn_are_one_request_unless_a_command_must_not_wait() -> None:
    desk = Desk()
    desk.open()
    assert desk.store.followed == ["/work"]
    desk.play(
        (CLIENT, prompt(2, "hi")),
        (AGENT, says("a")),
        (AGENT, call("c", "completed", title="t")),
        (AGENT, says("b")),
        END,
    )
    assert desk.store.batches == [["hi", "a", "tool.call", "tool.result", "b"]]
    assert desk.store.asked[-1]["cwd"] == "/work"
    desk.store.stored = {"accepted": 1, "message": "recording", "failed": False}
    desk.conversation.take(CLIENT, {})
    for happened in (desk.conversation.take(CLIENT, prompt(3, "::record")),):
        desk.feeder.take(happened)
    assert desk.store.batches[-1] == ["::record"]
    assert desk.shown == ["session-1: recording"]


def test_history_goes_in_requests_of_its_own() -> None:
    desk = Desk()
    desk.play(
        (CLIENT, request(1, "session/load", sessionId=SESSION, cwd="/work")),
        (AGENT, repeats("::capture old.md")),
        (AGENT, says("old")),
        (AGENT, answer(1)),
        (CLIENT, prompt(2, "new")),
        (AGENT, says("live")),
        END,
    )
    events = [one for one in desk.store.asked if one["op"] == "events"]
    assert [one.get("load") for one in events] == ["run:load-1", None]
    assert desk.store.batches == [["::capture old.md", "old"], ["new", "live"]]


def test_a_large_history_is_cut_into_requests_of_the_same_name() -> None:
    desk = Desk()
    desk.play((CLIENT, request(1, "session/load", sessionId=SESSION, cwd="/work")))
    for number in range(8):
        desk.play((AGENT, repeats(f"{number}" * 100_000)), (AGENT, says("x")))
    desk.play((AGENT, answer(1)))
    events = [one for one in desk.store.asked if one["op"] == "events"]
    assert len(events) > 1
    assert {one["load"] for one in events} == {"run:load-1"}


def test_the_events_of_an_agent_that_may_write_a_log_wait_and_are_dropped_when_the_log_comes() -> None:
    desk = Desk("claude-code-acp")
    desk.open()
    desk.play((CLIENT, prompt(2, "hi\n::capture a.md")), (AGENT, says("a")), END)
    assert desk.store.batches == []
    assert desk.shown == ["session-1: will capture"]
    (asked,) = [one for one in desk.store.asked if one["op"] == "prompt"]
    assert (asked["provider"], asked["isTyped"], asked["canStop"]) == ("claude", True, False)
    assert [one["op"] for one in desk.store.noted] == ["note"]
    desk.store.found = {"provider": "claude"}
    desk.now = 1.0
    desk.feeder.look()
    assert not desk.feeder.expects_logs
    assert desk.feeder.reads_logs
    desk.play((CLIENT, prompt(3, "more")), (AGENT, says("b")))
    desk.feeder.look(is_over=True)
    assert desk.store.batches == []


#: A prompt of a client that could not load a session, and puts the chat so far before the user's words.
RECOVERED = "<chat_history>\nUser:\n::export old.md\n</chat_history>\n\n::export new.md"


@pytest.mark.parametrize(
    ("agent", "found", "handled"),
    [
        ("toy", {}, []),
        ("claude-code-acp", {}, ["claude"]),
        ("claude-code-acp", {"provider": "claude"}, ["claude"]),
    ],
)
def test_a_prompt_that_may_hold_words_of_the_client_runs_nothing_and_the_user_sees_why(
    agent: str, found: Json, handled: list[str]
) -> None:
    desk = Desk(agent)
    desk.store.found = found
    desk.open()
    desk.play((CLIENT, prompt(2, RECOVERED)), (AGENT, repeats("::export theirs.md")), END)
    assert [one["op"] for one in desk.store.asked if one["op"] == "prompt"] == []
    assert [(one["provider"], one["isTyped"], one["isHandled"]) for one in desk.store.noted] == [
        (name, False, True) for name in handled
    ]
    reason = "the message has a `<chat_history>` block, which the editor or a plugin of it may have added"
    remedy = "To run it, send the line in a message of its own."
    assert desk.shown == [
        f"session-1: failed: “::export new.md” (and 1 more) was not run: {reason}. {remedy}"
    ]


def test_without_a_log_they_are_stored_some_seconds_after_the_turn() -> None:
    desk = Desk("claude-code-acp")
    desk.open()
    desk.play((CLIENT, prompt(2, "hi\n::capture a.md")), (AGENT, says("a")), END)
    desk.now = limits.ACP_LOG_SECONDS - 0.1
    desk.feeder.look()
    assert desk.feeder.expects_logs
    assert desk.store.batches == []
    desk.now = limits.ACP_LOG_SECONDS + 1
    desk.feeder.look()
    assert [desk.feeder.expects_logs] == [False]
    assert desk.store.batches == [["hi\n::capture a.md"], ["a"]]
    assert [one.get("isHandled", False) for one in desk.store.noted] == [False, True]
    desk.play((CLIENT, prompt(3, "more")))
    assert desk.store.batches[-1] == ["more"]


def test_a_turn_that_is_too_large_to_wait_is_stored() -> None:
    desk = Desk("codex-acp")
    desk.open()
    desk.play((CLIENT, prompt(2, "hi")))
    for number in range(limits.ACP_HELD_BYTES_MAX // 1_000_000 + 4):
        desk.play((AGENT, says("x" * 1_000_000, f"m{number}")))
    assert desk.store.batches[0][0] == "hi"


def test_held_history_stays_history_when_it_is_stored() -> None:
    desk = Desk("claude-code-acp")
    desk.open()
    desk.play((CLIENT, prompt(2, "live")), (AGENT, says("a")), END)
    desk.play(
        (CLIENT, request(3, "session/load", sessionId=SESSION, cwd="/work")),
        (AGENT, repeats("::capture old.md")),
        (AGENT, answer(3)),
    )
    desk.feeder.take(desk.conversation.settle())
    desk.feeder.look(is_over=True)
    events = [(one.get("load"), len(one["events"])) for one in desk.store.asked if one["op"] == "events"]
    assert events == [(None, 2), ("run:load-2", 1)]


def test_what_no_kato_takes_is_counted() -> None:
    desk = Desk()
    desk.store.found = None
    desk.open()
    desk.play((CLIENT, prompt(2, "lost")))
    assert desk.feeder.problems == {"events that Kato did not store": 1}
    desk.store.found = {}
    desk.store.stored = {"failed": True, "message": "the disk is full"}
    desk.play((AGENT, says("lost, too")), END)
    assert desk.feeder.problems == {"events that Kato did not store": 2}
    assert desk.shown == ["session-1: failed: the disk is full"]


def test_the_title_is_sent_with_the_next_events_or_alone() -> None:
    desk = Desk()
    desk.open()
    desk.play((AGENT, update("session_info_update", title="About trees")))
    assert [(one["title"], one["events"]) for one in desk.store.asked if one["op"] == "events"] == [
        ("About trees", [])
    ]


# --- Events that are too large ----------------------------------------------------------------------------

AT: dict[str, Any] = {
    "event_id": "e",
    "provider": "toy",
    "session_id": SESSION,
    "timestamp": datetime(2026, 11, 26, tzinfo=timezone.utc),
    "source": {"providerEventType": "x"},
}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["a", "é", "\u0000", "🐟", "\\", "\n"]), st.integers(0, 3), st.integers(1, 6))
def test_each_event_fits_into_a_request(char: str, size: int, count: int) -> None:
    text = char * (size * 150_000)
    events = structs(
        [user(text), assistant(text), tool_call("t", input={f"k{number}": text for number in range(count)})]
    )
    for event in events:
        line = fitting(event)
        assert len(line) <= limits.ACP_EVENT_BYTES_MAX
        again = decode_line(line)
        assert type(again) is type(event)
        assert again.event_id == event.event_id


def test_arguments_that_cannot_be_cut_are_left_out() -> None:
    (event,) = structs([tool_call("t", input={"deep": [{"x": "y" * 1000}] * 1000})])
    cut = decode_line(fitting(event))
    assert isinstance(cut, ToolCall)
    assert cut.input == {}


# --- History that is stored already -----------------------------------------------------------------------


def said(*contents: str) -> list[Any]:
    """Messages: those that begin with `>` are the user's."""
    return structs(
        [
            user(one[1:], number) if one.startswith(">") else assistant(one, number)
            for number, one in enumerate(contents)
        ]
    )


@pytest.mark.parametrize(
    ("stored", "repeated", "new"),
    [
        ([], [">a", "b"], [">a", "b"]),
        ([">a", "b"], [">a", "b"], []),
        ([">a", "b"], [">a\n", " b", ">c", "d"], [">c", "d"]),
        ([">a", "b"], [">context a", "b"], []),
        ([">a", "b1", "b2"], [">a", "b1b2"], []),
        ([">yes", "a"], [">yes", "a", ">yes", "b"], [">yes", "b"]),
        ([">a", "b"], ["b", ">c"], [">c"]),
        ([">c", "d"], [">a", "b", ">c", "d"], [">a", "b"]),
    ],
)
def test_turns_that_are_stored_are_left_out(stored: list[str], repeated: list[str], new: list[str]) -> None:
    found = Copies(said(*stored)).new(said(*repeated))
    assert [
        f"{'>' if isinstance(one, UserMessage) else ''}{one.content}"
        for one in found
        if isinstance(one, UserMessage | AssistantMessage)
    ] == new


@settings(deadline=None)
@given(st.lists(st.sampled_from([">a", ">b", "x", "y"]), max_size=10), st.integers(0, 10))
def test_it_does_not_matter_into_how_many_parts_a_repetition_is_cut(contents: list[str], place: int) -> None:
    whole, parts = said(*contents), Copies(said(">a", "x"))
    starts = [number for number, one in enumerate(whole) if isinstance(one, UserMessage) and number <= place]
    cut = starts[-1] if starts else 0
    assert parts.new(whole[:cut]) + parts.new(whole[cut:]) == Copies(said(">a", "x")).new(whole)


def test_a_turn_that_was_cut_goes_on_as_it_was_judged() -> None:
    copies = Copies(said(">a"))
    assert copies.new(said(">a")) == []
    assert copies.new(said("the rest of the answer")) == []


# --- Which Kato -------------------------------------------------------------------------------------------


class Own:
    """A Kato in this process."""

    is_wanted = False
    socket = None

    def follow(self, folders: Any) -> None: ...

    def ask(self, request: Any, seconds: float) -> Json:
        self.is_wanted = True
        return {"by": "own"}


@pytest.fixture
def katos(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, dict[str, Json | None]], Katos]:
    """Running processes: what each answers to each request."""
    running: dict[str, dict[str, Json | None]] = {}

    def ask_all(paths: Any, request: Any, seconds: float) -> list[tuple[str, Any]]:
        return [(path, running[path].get(request["op"])) for path in paths if path in running]

    monkeypatch.setattr(local_sockets, "sockets", lambda _: list(running))
    monkeypatch.setattr(local_sockets, "ask_all", ask_all)
    return running, Katos({}, Own())


FIND = {"op": "find", "provider": "toy", "sessionId": "s", "cwd": "/work"}


@pytest.mark.parametrize(
    ("processes", "by"),
    [
        ({}, "own"),
        ({"far": {"look": {"rank": 0}, "find": {"by": "far"}}}, "own"),
        (
            {
                "far": {"look": {"rank": 2}, "find": {"by": "far"}},
                "near": {"look": {"rank": 5}, "find": {"by": "near"}},
            },
            "near",
        ),
        ({"busy": {"look": None}}, "own"),
        ({"hangs": {"look": {"rank": 2}, "find": None}}, "own"),
        (
            {
                "old": {"look": {"rank": 9}, "find": {"error": "unknown"}},
                "new": {"look": {"rank": 2}, "find": {"by": "new"}},
            },
            "new",
        ),
    ],
)
def test_the_nearest_kato_that_knows_the_request_answers_else_the_own_one(
    katos: tuple[dict[str, dict[str, Json | None]], Katos],
    processes: dict[str, dict[str, Json | None]],
    by: str,
) -> None:
    running, found = katos
    running.update(processes)
    assert found.ask(FIND, 1) == {"by": by}


def test_with_a_kato_of_its_own_it_asks_no_other(
    katos: tuple[dict[str, dict[str, Json | None]], Katos],
) -> None:
    running, found = katos
    assert found.ask(FIND, 1) == {"by": "own"}
    running["late"] = {"look": {"rank": 9}, "find": {"by": "late"}}
    assert found.ask(FIND, 1) == {"by": "own"}


def test_when_the_nearest_one_ends_the_next_one_answers(
    katos: tuple[dict[str, dict[str, Json | None]], Katos],
) -> None:
    running, found = katos
    running["a"] = {"look": {"rank": 9}, "find": {"by": "a"}}
    running["b"] = {"look": {"rank": 2}, "find": {"by": "b"}}
    assert found.ask(FIND, 1) == {"by": "a"}
    del running["a"]
    assert found.ask(FIND, 1) == {"by": "b"}
