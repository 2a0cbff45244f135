"""Events over stdio: against the floor, against stock pygls, with the journal against without, the last against the first."""

import time
from collections.abc import Sequence

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle
from kato.cli.client import Client

_BATCHES = (1, 10, 100)
_FLOOR_GOALS = {1: 0.35, 10: 0.5, 100: 0.6}
_STOCK_GOALS = {1: 15.0, 10: 20.0, 100: 30.0}
_SESSION_EVENTS = 10_000


def over_stdio(quick: bool) -> list[Row]:
    """A fresh server a figure; the three kinds of server take turns."""
    rounds, sessions = (3, 2) if quick else (7, 4)
    rows = []
    for batch in _BATCHES:
        pieces = _pieces(batch, sessions)
        few = _pieces(batch, 1, events=1_500)
        count, few_count = sessions * _SESSION_EVENTS, 1_500
        floors, stocks, ours, journaled = [], [], [], []
        for turn in range(rounds):
            with peers.floor() as client:
                floors.append(count / peers.flood(client, pieces))
            ours.append(count / _kato(pieces, journal=False))
            journaled.append(count / _kato(pieces, journal=True))
            if turn < 3:
                with peers.stock() as client:
                    stocks.append(few_count / peers.flood(client, few))
        figures = {
            "floor_events_per_second": round(middle(floors)),
            "kato_events_per_second": round(middle(ours)),
            "kato_journal_events_per_second": round(middle(journaled)),
            "stock_events_per_second": round(middle(stocks)),
            "events": count,
            "bytes": sum(map(len, pieces)),
        }
        to_floor = middle([a / b for a, b in zip(ours, floors, strict=True)])
        to_stock = middle(ours) / middle(stocks)
        rows.append(
            Row(
                f"ingest, batches of {batch}",
                "the floor",
                to_floor,
                _FLOOR_GOALS[batch],
                "at least",
                figures=figures,
            )
        )
        rows.append(
            Row(
                f"ingest, batches of {batch}",
                "stock pygls",
                to_stock,
                _STOCK_GOALS[batch],
                "at least",
                figures=figures,
            )
        )
        if batch > 1:
            to_plain = middle([a / b for a, b in zip(journaled, ours, strict=True)])
            rows.append(
                Row(
                    f"ingest with the journal, batches of {batch}",
                    "without",
                    to_plain,
                    0.5,
                    "at least",
                    figures=figures,
                )
            )
    return rows


def growing_session(quick: bool) -> list[Row]:
    """Batches of ten to one session: the last thousand events against the first, each answered before the next."""
    rounds = 3 if quick else 7
    firsts, lasts = [], []
    for _ in range(rounds):
        with peers.folder() as home, peers.kato(home, journal=True) as client:
            _answered(client, "warm", corpus.events(1_000, "warm"))
            seconds = _answered(client, "s", corpus.events(_SESSION_EVENTS, "s"))
            firsts.append(sum(seconds[:100]))
            lasts.append(sum(seconds[-100:]))
    ratio = middle([last / first for first, last in zip(firsts, lasts, strict=True)])
    figures = {
        "first_event_us": round(middle(firsts) * 1000, 1),
        "last_event_us": round(middle(lasts) * 1000, 1),
        "events": _SESSION_EVENTS,
    }
    return [Row("the last events of 10,000", "the first", ratio, 1.1, "at most", figures=figures)]


def _kato(pieces: Sequence[bytes], *, journal: bool) -> float:
    with peers.folder() as home, peers.kato(home, journal=journal) as client:
        peers.flood(client, _WARM)
        return peers.flood(client, pieces)


def _pieces(batch: int, sessions: int, events: int = _SESSION_EVENTS) -> list[bytes]:
    frames = []
    for number in range(sessions):
        made = corpus.events(events, f"s{number}")
        frames += list(corpus.append_frames(corpus.batched(made, batch), f"s{number}"))
    return peers.joined(frames)


def _answered(client: Client, session: str, events: list[corpus.Event]) -> list[float]:
    """Seconds from each request to its answer."""
    seconds = []
    for batch in corpus.batched(events, 10):
        started = time.perf_counter()
        client.request(
            "kato/appendEvents", {"provider": corpus.PROVIDER, "sessionId": session, "events": batch}
        )
        seconds.append(time.perf_counter() - started)
    return seconds


_WARM = list(corpus.append_frames(corpus.batched(corpus.events(200, "warm"), 10), "warm"))
