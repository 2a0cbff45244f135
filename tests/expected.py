"""What the notes of a conversation must contain: the rules of `::` commands, applied line by line without Kato's code.

    spoken    every line so far
    note      after `::capture`: all that was spoken up to its line; while recording: each further line, once
    stopped   nothing after the line of `::stop`; `::record` goes on with its own line

A command that failed has changed no state, but its file may be there: each failure leaves two worlds that are both right.
Texts must have unique lines that Markdown leaves alone: no heading, no fence, no white space at their ends.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

import orjson

_COMMAND: Final = re.compile(r"\s*::(\w+)(?:\s+(\S.*))?\Z")
_TAKES_NO_PATH: Final = frozenset({"record", "stop"})
#: Misspelt commands, which are reported and not run.
MISSPELT: Final = frozenset({"captrue", "recrod", "exprot"})

#: The note of a conversation without a destination, where its real name is not known.
UNNAMED: Final = "(a note that Kato named)"


class Message(NamedTuple):
    """What one of both said."""

    id: str
    text: str
    by_user: bool


class FromEditor(NamedTuple):
    """A command of the editor, after all messages before it."""

    name: str
    path: str | None = None
    has_failed: bool = False


class Place(NamedTuple):
    """A typed command: the message's id and the line, counted from 1."""

    message: str
    line: int


class Outcome(NamedTuple):
    """What Kato reported of a command: `ok`, `noop` or `error`, and the note."""

    status: str
    path: str | None


class Command(NamedTuple):
    name: str
    path: str | None
    is_valid: bool


@dataclass(frozen=True)
class World:
    """One possible state of a conversation's notes. `notes`: the lines of each file."""

    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    recording: str | None = None
    destination: str | None = None
    #: What each typed command should have reported.
    predicted: Mapping[Place, str] = field(default_factory=dict)

    def with_note(self, path: str, lines: Sequence[str]) -> "World":
        return replace(self, notes={**self.notes, path: tuple(lines)})


def typed(line: str) -> Command | None:
    """The command in a line of the user's."""
    match = _COMMAND.match(line)
    if match is None:
        return None
    name, path = match[1].lower(), match[2]
    if name in MISSPELT:
        return Command(name, path, is_valid=False)
    if name not in ("init", "record", "capture", "export", "stop"):
        return None
    wrong = (path is not None and name in _TAKES_NO_PATH) or (path is None and name == "export")
    return Command(name, path, is_valid=not wrong)


def worlds(
    conversation: Sequence[Message | FromEditor], folder: Path, outcomes: Mapping[Place, Outcome]
) -> list[World]:
    """The states that the conversation may have led to. `outcomes`: what is known of its commands; one of which nothing is
    known did what the rules say. Relative paths lie below `folder`, paths outside are refused.
    """
    spoken: list[str] = []
    states = [World()]
    for item in conversation:
        if isinstance(item, FromEditor):
            command = Command(item.name, item.path, is_valid=True)
            failed = Outcome("error", None) if item.has_failed else None
            states = [new for one in states for new in _run(one, command, spoken, folder, failed)]
            continue
        for number, line in enumerate(item.text.split("\n"), 1):
            found = typed(line) if item.by_user else None
            place = Place(item.id, number)
            outcome = outcomes.get(place)
            if found is not None and found.name == "record":  # its own line is recorded
                states = _ran(states, found, place, spoken, folder, outcome)
            if line.strip():
                spoken.append(line)
                states = [_with_line(one, line) for one in states]
            if found is not None and found.name != "record":
                states = _ran(states, found, place, spoken, folder, outcome)
    return states


def _with_line(world: World, line: str) -> World:
    if world.recording is None:
        return world
    return world.with_note(world.recording, (*world.notes[world.recording], line))


def _ran(
    states: Sequence[World],
    command: Command,
    place: Place,
    spoken: Sequence[str],
    folder: Path,
    outcome: Outcome | None,
) -> list[World]:
    after = []
    for world in states:
        status = _predicted(world, command, folder)
        marked = replace(world, predicted={**world.predicted, place: status})
        after += _run(marked, command, spoken, folder, outcome) if status != "error" else [marked]
    return after


def _predicted(world: World, command: Command, folder: Path) -> str:
    outside = command.path is not None and not (folder / command.path).is_relative_to(folder)
    if not command.is_valid or outside:
        return "error"
    is_recording = world.recording is not None
    if command.name == "stop":
        return "ok" if is_recording else "noop"
    return "noop" if command.name == "record" and is_recording else "ok"


def _path(world: World, command: Command, folder: Path) -> str | None:
    return world.destination if command.path is None else str(folder / command.path)


def _run(
    world: World, command: Command, spoken: Sequence[str], folder: Path, outcome: Outcome | None
) -> list[World]:
    path = _path(world, command, folder)
    failed = outcome is not None and outcome.status == "error"
    if outcome is not None and outcome.path is not None:
        path = outcome.path
    if command.name == "stop":
        return [world if failed else replace(world, recording=None)]
    if command.name == "record" and world.recording is not None:
        return [world]
    if path is None:
        if failed:
            return [world]
        path = str(folder / UNNAMED)
    if command.name in ("capture", "export"):
        written = world.with_note(path, spoken)
    else:
        written = world.with_note(path, world.notes.get(path, ()))
    if failed:
        return [world, written]
    if command.name == "export":
        return [written]
    is_recording = command.name != "init"
    return [replace(written, destination=path, recording=path if is_recording else None)]


def lines_of(note: str) -> list[str]:
    """The conversation in a note: every line below the frontmatter that is neither blank nor a heading."""
    body = note.partition("\n---\n")[2] if note.startswith("---\n") else note
    return [line for line in body.split("\n") if line.strip() and not line.startswith("# ")]


def difference(wanted: Sequence[str], found: Sequence[str]) -> str:
    """What is wrong with a note, in a sentence; "" if nothing is."""
    if list(wanted) == list(found):
        return ""
    more, fewer = Counter(found), Counter(wanted)
    known = set(wanted)
    missing = list(fewer - more)
    doubled = [line for line in more - fewer if line in known]
    foreign = [line for line in more if line not in known]
    said = [
        f"{len(some)} {what} ({some[0][:60]!r} first)"
        for some, what in (
            (missing, "missing"),
            (doubled, "too often"),
            (foreign, "that must not be there"),
        )
        if some
    ]
    return f"of {len(wanted)} lines: {', '.join(said) or 'the order is wrong'}"


def notes_differ(world: World, read: Callable[[str], list[str]] = lines_of) -> Iterator[str]:
    """What is wrong with the notes of a world, a sentence each. `read` gives the conversation in a note."""
    for path, wanted in world.notes.items():
        file = Path(path)
        if not file.exists():
            yield f"{file.name} is missing"
            continue
        if file.suffix == ".jsonl":
            events = [orjson.loads(line) for line in file.read_bytes().splitlines()]
            lines = [line for one in events for line in one["content"].split("\n") if line.strip()]
            found = lines[: len(wanted)]  # the last event is there as a whole, also what is below the command
        else:
            found = read(file.read_text(encoding="utf-8"))
        if wrong := difference(wanted, found):
            yield f"{file.name}: {wrong}"
