"""The terminal's tables: a status snapshot, as JSON values, for people."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET, to_builtins
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kato.cli.catalog import Conversation, RootReport
from kato.core import limits
from kato.core.moments import rfc3339
from kato.core.text import printable
from kato.logs.watcher import Failure


class Screen(Console):
    """A console that prints texts as they are: no markup, and no control character but rich's own."""

    def __init__(self) -> None:
        super().__init__(markup=False, highlight=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What every text passes on its way out, that in tables' cells before it is cut to its column."""
        for segment in super().render(renderable, options):
            if segment.control is None and not segment.text.isprintable():
                yield Segment(printable(segment.text, keep="\n"), segment.style)
            else:
                yield segment

    def on_broken_pipe(self) -> None:
        """Whoever read the output went away: `cli.run` ends the command."""
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


def doctor_table(reports: Sequence[RootReport], now_ms: int) -> RenderableType:
    """Where Kato looks, and what is there; of an assistant that is not used, the first place alone."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("assistant, place", "sessions", "newest", "read", "events", "not understood"):
        table.add_column(
            name, overflow="fold", justify="right" if name in ("sessions", "read", "events") else "left"
        )
    shown: set[str] = set()
    used = {report.assistant.name for report in reports if report.exists}
    for report in reports:
        name = report.assistant.name
        if not report.exists and (name in used or name in shown):
            continue
        title = "" if name in shown else f"{report.assistant.title}\n"
        shown.add(name)
        place = Text.assemble((title, "bold"), (f"  {printable(shown_path(report.path))}", "dim"))
        if not report.exists:
            table.add_row(place, Text("not there", style="dim"), "", "", "", "")
            continue
        table.add_row(
            place,
            f"{report.sessions:,}",
            "" if report.newest_ms is None else ago(now_ms - report.newest_ms),
            f"{report.examined:,}",
            f"{report.events:,}",
            Text(_problems(report), style="yellow" if report.problems else "green"),
        )
    return table


def _problems(report: RootReport) -> str:
    if not report.problems:
        return "nothing" if report.examined else ""
    ordered = sorted(report.problems.items(), key=lambda item: -item[1])
    lines = [
        printable(
            f"{count:,} × {problem.kind.replace('_', ' ')} {problem.detail}"
            + (f" ({problem.version})" if problem.version else "")
        )
        for problem, count in ordered[:_PROBLEMS_SHOWN_MAX]
    ]
    if len(ordered) > _PROBLEMS_SHOWN_MAX:
        lines.append(f"… and {len(ordered) - _PROBLEMS_SHOWN_MAX} more kinds")
    return "\n".join(lines)


_PROBLEMS_SHOWN_MAX: Final = 8


def doctor_advice(
    reports: Sequence[RootReport],
    configured: Mapping[str, Sequence[str]],
    failure: Failure | None,
    servers: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What to do about what was found: in the roots, with a watcher, in the servers that run."""
    used = {report.assistant.name for report in reports if report.sessions}
    titles = {report.assistant.name: report.assistant.title for report in reports}
    advice = [
        f"✘ {report.path} cannot be read: give your user the right to read it."
        for report in reports
        if report.exists and not report.readable
    ]
    advice += [
        f"✘ {report.assistant.title}: {unread(to_builtins(report.unreadable))}"
        for report in reports
        if (report.readable or not report.exists) and report.unreadable is not UNSET
    ]
    if failure is not None:
        advice.append(f"✘ {unwatched(failure.reason)} {failure.cure}".rstrip())
    for server in servers:
        reason = server.get("watching", {}).get("failed")
        if reason and (failure is None or reason != failure.reason):
            advice.append(f"✘ Process {server['daemonPid']}: {unwatched(reason)}")
    advice += [
        f"· {title}: no session was found. If you use it, set providerSessionRoots.{name} to the folder where its logs are."
        for name, title in titles.items()
        if name not in used
    ]
    for name, chosen in configured.items():
        if not chosen:
            advice.append(f"· {name} is switched off (providerSessionRoots.{name} is empty).")
    kinds = {problem.kind for report in reports for problem in report.problems}
    if "unknown_kind" in kinds:
        advice.append(
            "! Records of unknown kind are kept (as provider.info events) and shown with markdown.includeSystemEvents; a "
            "newer Kato may know them."
        )
    if "broken_line" in kinds:
        advice.append(
            "! Broken lines are passed over. A log's last line may be broken while it is being written."
        )
    if not advice:
        advice.append("✔ Everything that was found was understood.")
    return advice


def root_json(report: RootReport) -> dict[str, Any]:
    """A place for `kato doctor --json`."""
    return {
        "provider": report.assistant.name,
        "path": report.path,
        "exists": report.exists,
        "readable": report.readable,
        "sessions": report.sessions,
        "newest": None if report.newest_ms is None else rfc3339(report.newest_ms),
        "examined": report.examined,
        "events": report.events,
        "unreadable": None if report.unreadable is UNSET else to_builtins(report.unreadable),
        "problems": [
            {"kind": problem.kind, "detail": problem.detail, "version": problem.version, "count": count}
            for problem, count in report.problems.items()
        ],
    }


def _gauge(value: int, limit: int) -> Text:
    share = value / limit if limit else 0
    style = "red" if share > 1 else "yellow" if share >= 0.8 else "green"
    return Text(mb(value), style=style)
