"""How long a user waits: for a request in a flood, for a line until it is in the note, for a whole capture."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import orjson

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle, percentile
from kato.cli.client import Client

_PAUSE_SECONDS = 0.005


def fair_loop(quick: bool) -> list[Row]:
    """`kato/memory`, 200 times a second: while nothing else happens, and while another session pours in."""
    count = 300 if quick else 1_000
    rows = []
    for journal in (False, True):
        with peers.folder() as home, peers.kato(home, journal=journal) as client:
            for data in _flood(0, 20):
                client.write(data)
            _latencies(client, 100)
            idle = _latencies(client, count)
            flooded = _flooded(client, count)
        ratio = percentile(flooded, 0.99) / percentile(idle, 0.99)
        figures = {
            "idle_p50_ms": round(middle(idle) * 1000, 3),
            "idle_p99_ms": round(percentile(idle, 0.99) * 1000, 3),
            "flood_p50_ms": round(middle(flooded) * 1000, 3),
            "flood_p99_ms": round(percentile(flooded, 0.99) * 1000, 3),
            "journal": journal,
        }
        what = f"kato/memory in a flood, p99{', journal' if journal else ''}"
        rows.append(Row(what, "the same, idle", ratio, 5.0, "at most", figures=figures))
    return rows


def _latencies(client: Client, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        client.request("kato/memory")
        seconds.append(time.perf_counter() - started)
        time.sleep(_PAUSE_SECONDS)
    return seconds


def _flooded(client: Client, count: int) -> list[float]:
    """Requests slipped in between the frames of a flood. A writer's thread writes; the answers are timed here."""
    sent: dict[int, float] = {}
    ready = threading.Event()
    done = threading.Event()

    def write() -> None:
        frames, number, due = _flood(1, 400), 0, time.perf_counter()
        while not done.is_set():
            client.write(
                frames[number % len(frames)].replace(
                    b"round-00001", b"round-%05d" % (1 + number // len(frames))
                )
            )
            number += 1
            if time.perf_counter() >= due and len(sent) < count:
                sent[10_000_000 + len(sent)] = time.perf_counter()
                client.write(
                    corpus.frame(
                        {"jsonrpc": "2.0", "id": 10_000_000 + len(sent) - 1, "method": "kato/memory"}
                    )
                )
                due = time.perf_counter() + _PAUSE_SECONDS
                ready.set()

    writer = threading.Thread(target=write)
    writer.start()
    seconds: dict[int, float] = {}
    ready.wait()
    while len(seconds) < count:
        message = client.read_message()
        if "method" not in message:
            seconds[message["id"]] = time.perf_counter() - sent[message["id"]]
    done.set()
    writer.join()
    return list(seconds.values())


def _flood(number: int, count: int) -> list[bytes]:
    session = f"round-{number:05d}"  # of one length, so that a frame can be sent under another name
    made = corpus.events(count * 10, session)
    return list(corpus.append_frames(corpus.batched(made, 10), session))


#: What a note shows of tool calls, and the goal for each against the floor, which decodes everything and renders nothing.
_CAPTURES: Final = (("hidden", 2.0), ("summary", 5.0), ("full", 7.5))


def capture(quick: bool) -> list[Row]:
    """`::capture` of 10,000 events, from the request to the file that is durable (the server syncs it before it answers)."""
    made = corpus.events(10_000)
    with ExitStack() as servers, peers.folder() as home:
        clients = {}
        for shown, _ in _CAPTURES:
            server = peers.kato(home / shown, markdown={"toolCalls": shown})
            client = clients[shown] = servers.enter_context(server)
            for data in corpus.append_frames(corpus.batched(made, 100), "s"):
                client.write(data)
            client.request("kato/memory")
        each = corpus.lines(made)
        taken: dict[str, list[tuple[float, float]]] = {shown: [] for shown in clients}
        for number in range((3 if quick else 9) + 1):
            for shown, client in clients.items():
                note = home / shown / "notes" / f"capture-{number}.md"
                seconds = peers.export(client, note)
                if number:  # the first one loads what is loaded on first use
                    taken[shown].append((seconds, _loads_and_write(each, note.read_bytes(), home)))
    return [_capture_row(shown, goal, taken[shown]) for shown, goal in _CAPTURES]


def _capture_row(shown: str, goal: float, taken: Sequence[tuple[float, float]]) -> Row:
    return Row(
        f"capture of 10,000 events, tool calls: {shown}",
        "loads + writing the same bytes",
        middle([ours / theirs for ours, theirs in taken]),
        goal,
        "at most",
        figures={
            "kato_ms": round(middle([ours for ours, _ in taken]) * 1000, 1),
            "loads_and_write_ms": round(middle([theirs for _, theirs in taken]) * 1000, 1),
        },
    )


def _loads_and_write(each: Sequence[bytes], data: bytes, folder: Path) -> float:
    started = time.perf_counter()
    for line in each:
        orjson.loads(line)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - started


def recorded_line(quick: bool) -> list[Row]:
    """An event over stdio to a session that records: until its line stands in the note, against the answer's round trip."""
    count = 300 if quick else 1_000
    with peers.folder() as home, peers.kato(home) as client:
        note = home / "notes" / "recorded.md"
        client.request("kato/appendEvents", _params([_said("first", f"::capture {note}")]))
        trips, lines = [], []
        for number in range(count):
            before = note.stat().st_size
            started = time.perf_counter()
            request = client.send_request(
                "kato/appendEvents", _params([_said(f"e{number}", f"line {number}")])
            )
            while note.stat().st_size == before:
                pass
            lines.append(time.perf_counter() - started)
            client.wait_for(request)
            trips.append(time.perf_counter() - started)
    late = (percentile(lines, 0.99) - percentile(trips, 0.99)) * 1000
    figures = {
        "line_p50_ms": round(middle(lines) * 1000, 2),
        "line_p99_ms": round(percentile(lines, 0.99) * 1000, 2),
        "round_trip_p50_ms": round(middle(trips) * 1000, 2),
        "round_trip_p99_ms": round(percentile(trips, 0.99) * 1000, 2),
    }
    return [
        Row(
            "event in to recorded line, p99",
            "the request's round trip",
            late,
            10.0,
            "at most",
            "ms later",
            figures,
        )
    ]


def _params(events: list[corpus.Event]) -> corpus.Event:
    return {"provider": corpus.PROVIDER, "sessionId": "s", "events": events}


def _said(event_id: str, content: str) -> corpus.Event:
    return {
        "eventId": event_id,
        "provider": corpus.PROVIDER,
        "sessionId": "s",
        "timestamp": "2026-03-01T10:00:00Z",
        "kind": "message.user",
        "role": "user",
        "content": content,
        "source": {"providerEventType": "record"},
    }
