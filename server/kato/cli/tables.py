"""The tables of a status snapshot (as JSON values), for `kato status`, `kato watch` and `kato demo`."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kato.assistants import registry
from kato.cli.screen import mb, shown_path, words
from kato.core import limits
from kato.core.text import counted
from kato.system.zstd import INSTALL


def status_tables(status: Mapping[str, Any], *, is_short: bool = False) -> RenderableType:
    """Memory against the budget (in one line, if `is_short`), then the sessions, then what does not work."""
    parts: list[RenderableType] = [_memory_line(status) if is_short else memory_table(status)]
    if status["sessions"]:
        parts.append(sessions_table(status))
    if omitted := status.get("omittedSessions", 0):
        parts.append(words(f"  … and {omitted:,} more sessions", style="dim"))
    failed = status.get("watching", {}).get("failed")
    if failed:
        parts.append(words(f"! {unwatched(failed)}", style="yellow"))
    unsearched = status.get("search", {}).get("failed")
    if unsearched:
        parts.append(words(f"! Search: {unsearched}", style="yellow"))
    unreadable = status.get("watching", {}).get("unreadable")
    if unreadable:
        parts.append(words(f"! {unread(unreadable)}", style="yellow"))
    return Group(*parts)


def unwatched(reason: str) -> str:
    """What it means that the watcher failed."""
    return (
        f"Not all folders with session logs are watched: {reason}. Kato looks at them every second instead."
    )


def unread(counts: Mapping[str, Any]) -> str:
    """What Kato cannot read, and what to do. `counts` as in the status (`watching.unreadable`)."""
    kinds = (("folders", "folder"), ("files", "file"), ("names", "path"))
    shown = [counted(counts[plural], noun) for plural, noun in kinds if counts[plural]]
    sentences = []
    if shown:
        sentences.append(
            f"Kato cannot read {', '.join(shown)} where session logs lie, for example {counts['example']}. "
            "Give your user the right to read them."
        )
    if packed := counts.get("compressed"):
        logs = "a session log" if packed == 1 else f"{packed:,} session logs"
        sentences.append(
            f"Kato cannot read {logs} compressed with Zstandard, because this Python lacks it: run {INSTALL}."
        )
    return " ".join(sentences)


def memory_table(status: Mapping[str, Any]) -> RenderableType:
    """One row a figure, with what bounds it."""
    memory = status["memory"]
    process, snapshots, journal = memory["process"], memory["snapshots"], memory["journal"]
    table = Table(title=f"Kato {status['version']}, process {status['daemonPid']}", box=box.SIMPLE_HEAD)
    table.add_column("", style="bold")
    table.add_column("now", justify="right")
    table.add_column("at most", justify="right")
    limit = memory["daemonMaxMemoryBytes"]
    table.add_row("process memory (RSS)", _gauge(process["rss"], limit), mb(limit))
    table.add_row("  its peak", mb(process["peakRss"]), "")
    table.add_row(
        "snapshots",
        _gauge(snapshots["estimatedBytes"], snapshots["budgetBytes"]),
        mb(snapshots["budgetBytes"]),
    )
    table.add_row("  sessions / events", f"{snapshots['sessionCount']:,} / {snapshots['eventCount']:,}", "")
    reasons = ", ".join(f"{count} {reason}" for reason, count in snapshots["evictionsByReason"].items())
    freed = f", {mb(snapshots['bytesReclaimedTotal'])} freed" if snapshots["evictionsTotal"] else ""
    table.add_row("  evictions", f"{snapshots['evictionsTotal']}{freed}", reasons)
    if journal is None:
        table.add_row("journal", "off", "")
    else:
        table.add_row("journal", mb(journal["bytes"]), "on disk")
        table.add_row("  sessions / events", f"{journal['sessionCount']:,} / {journal['eventCount']:,}", "")
    search = status.get("search")
    if search is not None and "failed" not in search:
        behind = search["sessionsBehind"]
        table.add_row("search index", mb(search["bytes"]), mb(limits.SEARCH_INDEX_BYTES_MAX))
        table.add_row("  events", f"{search['events']:,}", f"{behind:,} sessions to do" if behind else "")
    recordings = status["recordings"]
    notes = counted(recordings["destinations"], "note")
    table.add_row("recordings", str(recordings["activeRecordings"]), notes)
    return table


def _memory_line(status: Mapping[str, Any]) -> Text:
    memory, recordings = status["memory"], status["recordings"]["activeRecordings"]
    line = Text("process memory ").append_text(
        _gauge(memory["process"]["rss"], memory["daemonMaxMemoryBytes"])
    )
    line.append(
        f" of {mb(memory['daemonMaxMemoryBytes'])}, {counted(memory['snapshots']['sessionCount'], 'session')}"
    )
    return line.append(f", {counted(recordings, 'recording')}")


def sessions_table(status: Mapping[str, Any]) -> RenderableType:
    """One row a session."""
    titles = registry.titles()
    table = Table(box=box.SIMPLE_HEAD)
    for name, justify in (("assistant", "left"), ("title", "left"), ("events", "right"), ("memory", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("", width=1)
    table.add_column("recording", overflow="fold")
    for session in status["sessions"]:
        events = f"{session['eventCount']:,}"
        if session["truncatedEvents"]:
            events += f" (+{session['truncatedEvents']:,})"
        table.add_row(
            words(titles.get(session["provider"], session["provider"])),
            words(session.get("title") or session.get("snippet") or session["sessionId"]),
            events,
            mb(session["estimatedBytes"]) if session["resident"] else "on disk",
            *_recording(session),
        )
    return table


def _recording(session: Mapping[str, Any]) -> tuple[Text, Text]:
    """The sign of a recording, and its note or what takes the place of one."""
    if session.get("notKept"):
        return Text(), Text("not kept")
    recording = session.get("recording")
    if not recording or not recording["active"]:
        return Text(), Text()
    return Text("●"), words(shown_path(recording["outputPath"]))


def _gauge(value: int, limit: int) -> Text:
    share = value / limit if limit else 0
    style = "red" if share > 1 else "yellow" if share >= 0.8 else "green"
    return Text(mb(value), style=style)
