"""Two windows on one journal: commands run in the order of their lines, and no note gets a line twice or after a stop."""

from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import Json, assistant, user
from engine.machine import MakeWindow, Window, faulty, never, words


def hold_commands(window: Window) -> None:
    """From now on the window stores messages and claims their commands, and cannot finish one: it is slow."""
    faulty(window).fails = lambda _number, sql, _values: sql.startswith("UPDATE claim SET finished")


def waits(window: Window) -> bool:
    return window.engine.is_waiting


def go_on(window: Window) -> None:
    window.journal.database.connection.fails = never  # type: ignore[attr-defined]
    window.beat()


def test_a_window_waits_for_the_commands_that_another_window_has_to_run_first(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    hold_commands(one)
    one.append(user("first\n::capture talk.md", 0))
    two.append(user("second", 1), user("::stop", 2), assistant("not recorded", 3))
    assert two.outcomes == []
    assert waits(two)
    two.beat()
    two.engine.run_waiting()
    assert two.outcomes == [], "the first command has not run"
    go_on(one)
    assert one.ran == ["capture ok"]
    two.engine.run_waiting()
    assert two.ran == ["stop ok"]
    assert not waits(two)
    assert words(one.notes / "talk.md") == ["first", "::capture talk.md", "second", "::stop"]


def test_no_window_writes_beyond_a_stop_that_another_window_has_not_run_yet(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    one.append(user("::capture talk.md", 0))
    hold_commands(one)
    one.append(user("before\n::stop\nafter", 1))
    two.append(assistant("after the stop", 2))
    two.beat()
    assert words(one.notes / "talk.md") == ["::capture talk.md", "before", "::stop"]
    go_on(one)
    two.beat()
    assert words(one.notes / "talk.md") == ["::capture talk.md", "before", "::stop"]


def test_the_commands_of_a_window_that_died_run_in_the_others_heartbeat(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    hold_commands(one)
    one.append(user("first\n::capture talk.md", 0))
    two.append(user("::stop", 1), assistant("not recorded", 2))
    two.alive.discard("one")
    two.beat()
    assert two.ran == ["capture ok", "stop ok"]
    assert words(one.notes / "talk.md") == ["first", "::capture talk.md", "::stop"]


def test_a_position_never_moves_back(window: MakeWindow) -> None:
    one, two = window("one"), window("two")
    one.append(user("::capture talk.md", 0))
    hold_commands(one)
    one.append(user("::stop\n::record\nkept", 1))
    two.append(assistant("said while the other window was slow", 2))
    go_on(one)
    two.beat()
    one.append(assistant("the end", 3))
    note = [
        "::capture talk.md",
        "::stop",
        "::record",
        "kept",
        "said while the other window was slow",
        "the end",
    ]
    assert words(one.notes / "talk.md") == note


def expected(events: list[Json]) -> list[str]:
    """The lines of the note by the meaning of the commands alone."""
    lines: list[str] = []
    recording = False
    for event in events:
        for line in event["content"].split("\n"):
            if line == "::record":
                recording = True
            if recording:
                lines.append(line)
            if line == "::stop":
                recording = False
    return lines


LINES = st.sampled_from(["text", "text", "::stop", "::record"])
#: Which window gets a message, its lines, whether that window is slow then, and whether a heartbeat follows.
STEPS = st.lists(
    st.tuples(st.booleans(), st.lists(LINES, min_size=1, max_size=4), st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)
_runs = count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_order_of_windows_and_delays_gives_the_same_note(
    tmp_path: Path, steps: list[tuple[bool, list[str], bool, bool]]
) -> None:
    folder = tmp_path / str(next(_runs))
    folder.mkdir()
    windows = [Window(folder, "one"), Window(folder, "two")]
    for one in windows:
        one.alive = {"one", "two"}
    events = [user("::record", 0)]
    windows[0].append(events[0])
    faults = [faulty(one) for one in windows]
    for number, (which, lines, is_slow, beats) in enumerate(steps, 1):
        text = "\n".join(
            f"text {number} {index}" if line == "text" else line for index, line in enumerate(lines)
        )
        events.append((user if "::" in text else assistant)(text, number))
        faults[which].fails = lambda _number, sql, _values, slow=is_slow: (  # type: ignore[misc]
            slow and sql.startswith("UPDATE claim SET finished")
        )
        windows[which].append(events[-1])
        if beats:
            windows[not which].beat()
    for fault in faults:
        fault.fails = never
    for _ in range(1 + len(steps)):  # each turn can wait for one of the other window
        for one in windows:
            one.beat()
    (note,) = (folder / "notes" / "notes").glob("*.md")
    assert words(note) == expected(events)
    commands = [line for event in events for line in event["content"].split("\n") if "::" in line]
    assert len([*windows[0].outcomes, *windows[1].outcomes]) == len(commands), "each ran once"
    assert windows[0].journal.unfinished_claims() == []
    for one in windows:
        one.close()
