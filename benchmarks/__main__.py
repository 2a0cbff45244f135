"""One command: measures, prints a table, writes JSON (and a plot, where matplotlib is installed)."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import acp, command, ingest, latency, memory, process, scale, search
from benchmarks.rows import Measure, Row

MEASURES = (
    Measure("ingest", "events over stdio", ingest.over_stdio),
    Measure("growth", "a session that grows", ingest.growing_session),
    Measure("rss", "what an event held costs", memory.per_event),
    Measure("flood", "the limit in a flood", memory.flood),
    Measure("fair", "a request in a flood", latency.fair_loop),
    Measure("capture", "a whole conversation to a note", latency.capture),
    Measure("command", "kato capture, the whole process", command.capture),
    Measure("line", "an event to its line in the note", latency.recorded_line),
    Measure("acp", "an agent behind kato acp", acp.proxy),
    Measure("start", "the start, and RSS at rest", process.start),
    Measure("listing", "the first look at session logs", process.listing),
    Measure("scale", "a million events", scale.million),
    Measure("search", "a search in 1,000 conversations", search.search),
    Measure("idle", "a minute of nothing", process.idle),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a goal is missed and `--strict` was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=[one.name for one in MEASURES], help="these measures alone"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, smaller sizes: a look, not a figure"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draws the ratios (needs matplotlib)")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a goal is missed")
    chosen = parser.parse_args(arguments)
    console = Console(stderr=True)
    rows: list[Row] = []
    for measure in MEASURES:
        if chosen.only and measure.name not in chosen.only:
            continue
        started = time.monotonic()
        found = measure.run(chosen.quick)
        console.print(f"{measure.name}: {measure.about}, {time.monotonic() - started:.0f} s")
        rows += found
    Console().print(_table(rows))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(_report(rows), indent=2) + "\n", encoding="utf-8")
    if chosen.plot is not None:
        from benchmarks import plot  # noqa: PLC0415 - matplotlib is optional

        plot.draw(rows, chosen.plot)
    return 1 if chosen.strict and not all(row.met for row in rows) else 0


def _table(rows: Sequence[Row]) -> Table:
    table = Table("what", "against", "measured", "goal", "")
    for row in rows:
        mark = "[green]met[/]" if row.met else "[red]missed[/]"
        table.add_row(
            row.what, row.against, f"{row.value:.3g} {row.unit}", f"{row.sense} {row.goal:g} {row.unit}", mark
        )
    return table


def _report(rows: Sequence[Row]) -> dict[str, object]:
    packages = ("pygls", "lsprotocol", "orjson", "msgspec", "psutil", "watchfiles")
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "packages": {name: metadata.version(name) for name in ("kato-lsp", *packages)},
        "rows": [row.as_json() for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
