"""`kato doctor`: where Kato looks for conversations, what it finds there, and what the user can do about the rest."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, to_builtins
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kato.app.parsing import pieces
from kato.assistants.contract import Assistant, Problem, Surroundings
from kato.assistants.registry import Refusal
from kato.cli.screen import shown_path
from kato.cli.tables import unread, unwatched
from kato.core.moments import ago, rfc3339
from kato.core.text import printable
from kato.core.views import UnreadableStatus
from kato.logs.discovery import Root, scan
from kato.logs.tail import Tail
from kato.logs.unreadable import UnreadablePaths
from kato.logs.watcher import Failure

_PROBLEMS_SHOWN_MAX: Final = 8
#: Folders inside a root without logs that may be the right ones, and folders that are listed to find out.
_NEAR_FOLDERS_MAX: Final = 64
_LISTED_FOLDERS_MAX: Final = 4096


class RootReport(Struct, frozen=True):
    """What an examination found in a root. `is_empty`: the folder holds nothing at all. `better` is the folder that a root
    without logs was probably meant to be.
    """

    assistant: Assistant
    path: str
    exists: bool
    readable: bool
    is_empty: bool
    sessions: int
    newest_ms: int | None
    examined: int
    events: int
    problems: Mapping[Problem, int]
    better: str | None = None
    unreadable: UnreadableStatus | UnsetType = UNSET


def examine(
    root: Root, place: Surroundings, *, sessions_max: int, enter: Callable[[str], bool] = lambda _: True
) -> RootReport:
    """Looks at a root, and reads the newest of its logs. `enter` is asked for each folder that can hold logs."""
    exists = Path(root.path).is_dir()
    readable = exists and os.access(root.path, os.R_OK | os.X_OK)
    unreadable = UnreadablePaths()
    found = sorted(scan(root, enter=enter, unreadable=unreadable), key=lambda one: one.mtime_ns, reverse=True)
    problems: Counter[Problem] = Counter()
    events = 0
    for one in found[:sessions_max]:
        try:
            for piece in pieces(Tail(one, place, unreadable)):
                events += len(piece.events)
                problems.update(piece.problems)
        except OSError as error:
            unreadable.add("file", one.path, error)
    return RootReport(
        assistant=root.assistant,
        path=root.path,
        exists=exists,
        readable=readable,
        is_empty=readable and not any(Path(root.path).iterdir()),
        sessions=len(found),
        newest_ms=found[0].mtime_ns // 1_000_000 if found else None,
        examined=min(len(found), sessions_max),
        events=events,
        problems=problems,
        better=_better(root, place) if readable and not found else None,
        unreadable=unreadable.status,
    )


def _better(root: Root, place: Surroundings) -> str | None:
    """A folder next to a root without logs that holds some: one inside it, the one that it lies in, or the assistant's own."""
    path = Path(root.path)
    inside: Iterator[Path] = iter(())
    listed = count()
    with suppress(OSError):
        inside = islice((one for one in path.iterdir() if one.is_dir()), _NEAR_FOLDERS_MAX)
    with suppress(OSError):
        for near in (*inside, *path.parents[:2], *map(Path, root.assistant.roots(place))):
            home = Path(place.home)
            if near == home or near in home.parents:
                continue  # a search there would take long
            found = scan(Root(root.assistant, str(near)), enter=lambda _: next(listed) < _LISTED_FOLDERS_MAX)
            if next(found, None) is not None:
                return str(near)
    return None


# --- For people --------------------------------------------------------------------------------------


def table(reports: Sequence[RootReport], now_ms: int) -> RenderableType:
    """What Kato found in the folders that exist."""
    rows = Table(box=box.SIMPLE_HEAD)
    for name in ("assistant, place", "sessions", "newest", "read", "events", "not understood"):
        rows.add_column(
            name, overflow="fold", justify="right" if name in ("sessions", "read", "events") else "left"
        )
    shown: set[str] = set()
    for report in reports:
        name = report.assistant.name
        if not report.exists:
            continue
        title = "" if name in shown else f"{report.assistant.title}\n"
        shown.add(name)
        place = Text.assemble((title, "bold"), (f"  {printable(shown_path(report.path))}", "dim"))
        rows.add_row(
            place,
            f"{report.sessions:,}",
            "" if report.newest_ms is None else ago(now_ms - report.newest_ms),
            f"{report.examined:,}",
            f"{report.events:,}",
            Text(_problems(report), style="yellow" if report.problems else "green"),
        )
    return rows if rows.row_count else Text("Kato found no folder with session logs.\n")


def _problems(report: RootReport) -> str:
    if not report.problems:
        return "nothing" if report.examined else ""
    ordered = sorted(report.problems.items(), key=lambda item: -item[1])
    lines = [
        printable(
            f"{times:,} × {problem.kind.replace('_', ' ')} {problem.detail}"
            + (f" ({problem.version})" if problem.version else "")
        )
        for problem, times in ordered[:_PROBLEMS_SHOWN_MAX]
    ]
    if len(ordered) > _PROBLEMS_SHOWN_MAX:
        lines.append(f"… and {len(ordered) - _PROBLEMS_SHOWN_MAX} more kinds")
    return "\n".join(lines)


def advice(
    reports: Sequence[RootReport],
    configured: Mapping[str, Sequence[str]],
    failure: Failure | None,
    servers: Sequence[Mapping[str, Any]],
    refusals: Sequence[Refusal],
) -> list[str]:
    """What to do about what was found: in the roots, with a watcher, in the servers that run, with plugins."""
    found = [
        *_unreadable(reports),
        *_watching(failure, servers),
        *(
            f"✘ The plugin {one.package} (assistant {one.name}) is not used: {one.reason}."
            for one in refusals
        ),
        *_configured(reports, configured),
        *_unused(reports, configured),
        *_not_understood(reports),
    ]
    return found or ["✔ Everything that was found was understood."]


def _unreadable(reports: Sequence[RootReport]) -> Iterator[str]:
    for report in reports:
        if report.exists and not report.readable:
            yield f"✘ {report.path} cannot be read: give your user the right to read it."
    for report in reports:
        if (report.readable or not report.exists) and report.unreadable is not UNSET:
            yield f"✘ {report.assistant.title}: {unread(to_builtins(report.unreadable))}"


def _watching(failure: Failure | None, servers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if failure is not None:
        yield f"✘ {unwatched(failure.reason)} {failure.cure}".rstrip()
    for server in servers:
        reason = server.get("watching", {}).get("failed")
        if reason and (failure is None or reason != failure.reason):
            yield f"✘ Process {server['daemonPid']}: {unwatched(reason)}"


def _configured(reports: Sequence[RootReport], configured: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Roots that the user chose and in which no log can be found."""
    for report in reports:
        if report.assistant.name not in configured or report.sessions:
            continue
        setting = f"providerSessionRoots.{report.assistant.name}"
        if not report.exists:
            yield f"✘ {setting}: the folder {report.path} does not exist. Correct the path, or remove it."
        elif report.readable and not report.is_empty:
            cure = f"Set it to {report.better}." if report.better else "Correct the path, or remove it."
            title = report.assistant.title
            yield f"✘ {setting}: no file below {report.path} can be a session log of {title}. {cure}"


def _unused(reports: Sequence[RootReport], configured: Mapping[str, Sequence[str]]) -> Iterator[str]:
    used = {report.assistant.name for report in reports if report.sessions}
    there = {report.assistant.name for report in reports if report.exists}
    first: dict[str, RootReport] = {}
    for report in reports:
        first.setdefault(report.assistant.name, report)
    unused = [report for name, report in first.items() if name not in used and name not in configured]
    for report in unused:
        if report.assistant.name in there:
            yield (
                f"· {report.assistant.title}: no session was found. If you use it, set"
                f" providerSessionRoots.{report.assistant.name} to the folder where its logs are."
            )
    missing = [report for report in unused if report.assistant.name not in there]
    if missing:
        folders = ", ".join(f"{one.assistant.title} ({printable(shown_path(one.path))})" for one in missing)
        yield (
            f"· No folder was found of {folders}. If you use one of them, set providerSessionRoots to the folder where its logs"
            " are."
        )
    for name, chosen in configured.items():
        if not chosen:
            yield f"· {name} is switched off (providerSessionRoots.{name} is empty)."


def _not_understood(reports: Sequence[RootReport]) -> Iterator[str]:
    kinds = {problem.kind for report in reports for problem in report.problems}
    if "unknown_kind" in kinds:
        yield (
            "! Some records are of kinds that this Kato does not know. A newer Kato may know them; `kato doctor --drift` lists"
            " them for a report."
        )
    if "broken_line" in kinds:
        yield "! Broken lines are skipped. A log's last line may be broken while it is being written."


# --- For programs ------------------------------------------------------------------------------------


def as_json(report: RootReport) -> dict[str, Any]:
    """A root for `kato doctor --json`."""
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
            {
                "kind": problem.kind,
                "detail": problem.detail,
                "version": problem.version,
                "example": problem.example,
                "count": times,
            }
            for problem, times in report.problems.items()
        ],
    }
