"""Memory: what an event held costs, and that the limit holds in a flood."""

from pathlib import Path
from typing import Any

from benchmarks import corpus, peers
from benchmarks.rows import Row
from kato.cli.client import Client

_MIB = 1024 * 1024


def per_event(quick: bool) -> list[Row]:
    """RSS growth against the JSON's length, ten sessions of 10,000 events, everything held."""
    sessions = 4 if quick else 10
    with peers.folder() as home, peers.kato(home, daemonMaxMemoryMb=2000) as client:
        _send(client, "warm", 5_000)
        before = _rss(client)
        sent = sum(_send(client, f"s{number}", 10_000) for number in range(sessions))
        status = client.request("kato/memory")
        grown = _rss(client) - before
    held = status["snapshots"]["eventCount"] - 5_000
    figures = {
        "events_held": held,
        "json_bytes": sent,
        "rss_growth_bytes": grown,
        "estimated_bytes": status["snapshots"]["estimatedBytes"],
    }
    assert held == sessions * 10_000, "everything is held"
    return [
        Row("RSS growth per event held", "its JSON bytes", grown / sent, 1.15, "at most", figures=figures)
    ]


def flood(quick: bool) -> list[Row]:
    """Ten times the budget: the most the process ever took (its VmHWM, as the system counts it)."""
    rows = []
    budgets = (100, 200) if quick else (100, 200, 300, 400, 500)
    for budget in budgets:
        journal = budget <= 200  # the others without, for the disk's sake
        with peers.folder() as home, peers.kato(home, daemonMaxMemoryMb=budget, journal=journal) as client:
            template = _frames("template-00000", 1_000)
            size = sum(map(len, template))
            rounds = 10 * budget * _MIB // size
            for number in range(rounds):
                name = f"template-{number:05d}".encode()
                for data in template:
                    client.write(data.replace(b"template-00000", name))
            client.request("kato/memory")
            peak = _peak(client)
            status = client.request("kato/memory")
        figures = {
            "budget_mb": budget,
            "journal": journal,
            "sent_mb": rounds * size // _MIB,
            "peak_rss_mb": round(peak / _MIB, 1),
            "evictions": status["snapshots"]["evictionsTotal"],
        }
        what = f"peak RSS, flood of {figures['sent_mb']} MB"
        rows.append(
            Row(what, f"the budget, {budget} MB", peak / (budget * _MIB), 1.0, "at most", figures=figures)
        )
    return rows


def _frames(session: str, count: int) -> list[bytes]:
    made = corpus.events(count, session)
    return list(corpus.append_frames(corpus.batched(made, 100), session))


def _send(client: Client, session: str, count: int) -> int:
    """JSON bytes of the events that were sent."""
    made = corpus.events(count, session)
    for data in corpus.append_frames(corpus.batched(made, 100), session):
        client.write(data)
    client.request("kato/memory")
    return sum(map(len, corpus.lines(made)))


def _rss(client: Client) -> int:
    status: dict[str, Any] = client.request("kato/memory")
    return int(status["process"]["rss"])


def _peak(client: Client) -> int:
    for line in Path(f"/proc/{client.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return int(client.request("kato/memory")["process"]["peakRss"])  # no /proc: what the server says
