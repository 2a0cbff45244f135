"""The terminal's tables: a status snapshot, as JSON values, for people."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kato.cli.catalog import Conversation
from kato.core import limits
from kato.core.moments import rfc3339
from kato.core.text import printable


class Screen(Console):
    """A console that prints texts as they are: no markup, and no control character but rich's own."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, stderr=stderr)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What every text passes on its way out, that in tables' cells before it is cut to its column."""
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                yield Segment(printable(segment.text, keep="\n"), segment.style)
            else:
                yield segment

    def on_broken_pipe(self) -> None:
        """The reader of the output closed it: `cli.run` ends the command."""
        self.quiet = True
        raise BrokenPipeError


def words(text: str, style: str = "") -> Text:
    """A text of others in one line."""
    return Text(printable(text, chars_max=limits.MESSAGE_CHARS_MAX), style=style)


def mb(count: int) -> str:
    """`63.4 MB`; small figures in kB."""
    return f"{count / limits.MIB:,.1f} MB" if count >= limits.MIB // 10 else f"{count / limits.KIB:,.1f} kB"


def status_tables(status: Mapping[str, Any]) -> RenderableType:
    """Memory against the budget, then the sessions, then what does not work."""
    parts: list[RenderableType] = [memory_table(status)]
    if status["sessions"]:
        parts.append(sessions_table(status))
    if omitted := status.get("omittedSessions", 0):
        parts.append(words(f"  … and {omitted:,} more sessions", style="dim"))
    failed = status.get("watching", {}).get("failed")
    if failed:
        parts.append(words(f"! {unwatched(failed)}", style="yellow"))
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
    """What the file system does not let Kato read, and what to do. `counts` as in the status (`watching.unreadable`)."""
    kinds = (("folders", "folder"), ("files", "file"), ("names", "path"))
    shown = [
        f"{counts[plural]:,} {noun}{'' if counts[plural] == 1 else 's'}"
        for plural, noun in kinds
        if counts[plural]
    ]
    return (
        f"Kato cannot read {', '.join(shown)} where session logs lie, for example {counts['example']}. "
        "Give your user the right to read them."
    )


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
    recordings = status["recordings"]
    notes = "1 note" if recordings["destinations"] == 1 else f"{recordings['destinations']} notes"
    table.add_row("recordings", str(recordings["activeRecordings"]), notes)
    return table


def sessions_table(status: Mapping[str, Any]) -> RenderableType:
    """One row a session."""
    table = Table(box=box.SIMPLE_HEAD)
    for name, justify in (("provider", "left"), ("title", "left"), ("events", "right"), ("memory", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("recording", overflow="fold")
    for session in status["sessions"]:
        recording = session.get("recording")
        events = f"{session['eventCount']:,}"
        if session["truncatedEvents"]:
            events += f" (+{session['truncatedEvents']:,})"
        table.add_row(
            words(session["provider"]),
            words(session.get("title") or session.get("snippet") or session["sessionId"]),
            events,
            mb(session["estimatedBytes"]) if session["resident"] else "on disk",
            words(f"● {shown_path(recording['outputPath'])}") if recording and recording["active"] else "",
        )
    return table


def conversations_view(listed: Sequence[Conversation], now_ms: int) -> RenderableType:
    """The conversations by folder, the folder that was used last first."""
    folders: dict[str, list[Conversation]] = {}
    for one in listed:
        folders.setdefault(one.info.cwd or "(no folder)", []).append(one)
    parts: list[RenderableType] = []
    for folder, conversations in folders.items():
        table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
        for width, justify in ((12, "left"), (14, "left"), (None, "left"), (9, "right"), (13, "left")):
            table.add_column(width=width, justify=justify, no_wrap=True, ratio=None if width else 1)  # type: ignore[arg-type]
        for one in conversations:
            agent = "↳ " if one.info.parent_id is not None else ""
            table.add_row(
                ago(now_ms - one.updated_at),
                one.found.assistant.title,
                words(agent + (one.title or "(nothing said yet)")),
                mb(one.found.size),
                words(one.info.session_id[:13], style="dim"),
            )
        parts += [words(shown_path(folder), style="bold"), table]
    return Group(*parts)


def conversation_json(one: Conversation) -> dict[str, Any]:
    """A conversation for `kato sessions --json`."""
    return {
        "provider": one.key.provider,
        "sessionId": one.key.session_id,
        "title": one.title,
        "cwd": one.info.cwd,
        "updatedAt": rfc3339(one.updated_at),
        "sizeBytes": one.found.size,
        "path": one.found.path,
        "parentId": one.info.parent_id,
    }


def shown_path(path: str) -> str:
    """A path as people write it: `~` for the user's home folder."""
    home = str(Path.home())
    inside = path == home or path.startswith(home.rstrip(os.sep) + os.sep)
    return f"~{path[len(home.rstrip(os.sep)) :]}" if inside else path


def ago(milliseconds: int) -> str:
    """`now`, `5 min ago`, `3 h ago`, `12 days ago`."""
    minutes = max(0, milliseconds) // 60_000
    if minutes < 1:
        return "now"
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2880 else f"{minutes // 1440} days ago"


def _gauge(value: int, limit: int) -> Text:
    share = value / limit if limit else 0
    style = "red" if share > 1 else "yellow" if share >= 0.8 else "green"
    return Text(mb(value), style=style)
