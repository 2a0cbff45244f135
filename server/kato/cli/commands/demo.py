"""`kato demo`: plays a conversation into a real server over stdio, and shows the status, the outcomes and the note."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import orjson
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

from kato.assistants import registry
from kato.cli import options, tables
from kato.cli.client import Client, RequestFailed, ServerGone
from kato.cli.exits import EXIT_FAILED
from kato.cli.screen import Screen, words
from kato.core.errors import EXIT_OK, InvalidParams

_BATCH_EVENTS: Final = 20
_NOTE_LINES: Final = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Completes the parser."""
    options.describe(
        parser,
        "Starts a server, sends it the events of a conversation with commands, and shows the note that results. The server has a"
        " state folder of its own and reads none of your conversations.",
        "kato demo --out /tmp/kato-demo",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="events, one JSON object a line, instead of the bundled conversation",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="FOLDER",
        help="the folder for the note (default: demo-output)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Plays the events and prints the outcome. Returns 0 when every event and every command was accepted."""
    events_file: Path | None = arguments.events
    console = Screen(wraps=True)
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    events = list(_load(events_file))
    source = "the bundled conversation" if events_file is None else str(events_file)
    console.print(
        words(f"Playing {source}: {len(events)} events, into a real server over stdio."), end="\n\n"
    )
    with tempfile.TemporaryDirectory(prefix="kato-demo-") as state:
        return _play(console, events, out, state, bundled=events_file is None)


def _play(
    console: Screen, events: Sequence[Mapping[str, Any]], out: Path, state: str, *, bundled: bool
) -> int:
    """Sends the events and shows the status, the outcomes and the notes. Returns the exit code."""
    if bundled:
        (out / "notes" / "first-capture.md").unlink(missing_ok=True)
    with Client(environment=_environment(state)) as client:
        # No roots: the server reads the demo's events alone, not the user's own sessions.
        roots: dict[str, list[str]] = {name: [] for name in registry.names()}
        options = {"stateDir": state, "logLevel": "error", "providerSessionRoots": roots}
        client.initialize(options=options, folders=[str(out)])
        try:
            outcomes, failed = _send(console, client, events, out)
        except ServerGone as error:
            console.print(words(str(error), style="red"))
            return EXIT_FAILED
        status = client.request("kato/status", {"includeStale": True})
    console.print(tables.status_tables(status))
    for outcome in outcomes:
        failed |= outcome["status"] == "error"
        _print_outcome(console, outcome)
    paths = [outcome["outputPath"] for outcome in outcomes if outcome.get("outputPath")]
    for path in dict.fromkeys(paths):
        _print_note(console, Path(path))
    return EXIT_FAILED if failed else EXIT_OK


def _environment(state: str) -> dict[str, str]:
    """This environment, with an empty configuration file."""
    config = Path(state) / "config.toml"
    config.touch()
    return {**os.environ, "KATO_CONFIG": str(config)}


def _send(
    console: Screen, client: Client, events: Sequence[Mapping[str, Any]], out: Path
) -> tuple[list[dict[str, Any]], bool]:
    """Sends the events in batches, with a progress bar. Returns the outcomes of their commands, and whether the server refused a
    batch. Raises ServerGone.
    """
    outcomes: list[dict[str, Any]] = []
    failed = False
    columns = (TextColumn("events in"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("events", total=len(events))
        for batch in _batches(events):
            session = {name: batch[0].get(name) for name in ("provider", "sessionId")}
            try:
                params = {**session, "events": batch, "cwd": str(out)}
                outcomes += client.request("kato/appendEvents", params)["commands"]
            except RequestFailed as error:
                failed = True
                console.print(Text.assemble(("refused: ", "red"), words(str(error))))
            progress.advance(task, len(batch))
    return outcomes, failed


def _load(events_file: Path | None) -> Iterator[Mapping[str, Any]]:
    if events_file is None:
        text = resources.files("kato.cli").joinpath("data/demo.jsonl").read_bytes()
    else:
        try:
            text = events_file.read_bytes()
        except OSError as error:
            raise InvalidParams(str(events_file), "a readable file of events", error.strerror or "") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidParams(f"{events_file}, line {number}", "an event as JSON", str(error)) from None
        if not isinstance(event, dict):
            raise InvalidParams(f"{events_file}, line {number}", "an event, a JSON object", "something else")
        yield event


def _batches(events: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Runs of events of one session, in the order of the file."""
    batch: list[Mapping[str, Any]] = []
    for event in events:
        same = batch and all(event.get(key) == batch[0].get(key) for key in ("provider", "sessionId"))
        if batch and (not same or len(batch) >= _BATCH_EVENTS):
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch


def _print_outcome(console: Screen, outcome: Mapping[str, Any]) -> None:
    line = f"::{outcome['command']} in line {outcome.get('line')} of {outcome.get('eventId')}: "
    if outcome["status"] == "error":
        console.print(words(f"{line}{outcome['error']['message']}", style="red"))
    else:
        written = outcome.get("eventsWritten")
        detail = "" if written is None else f", {written} events written"
        console.print(words(f"{line}{outcome['status']}{detail}", style="green"))


def _print_note(console: Screen, path: Path) -> None:
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    shown = "\n".join(lines[:_NOTE_LINES])
    rest = f"… and {len(lines) - _NOTE_LINES} more lines" if len(lines) > _NOTE_LINES else ""
    console.print()
    console.print(words(f"The note: {path}"), soft_wrap=True)
    note = Syntax(shown, "markdown", word_wrap=True, background_color="default")
    console.print(Panel(note, subtitle=words(rest)))
