"""One session of a million events: ingest, restart, capture, each against ten thousand events times a hundred."""

import time

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle

_SMALL = 10_000


def million(quick: bool) -> list[Row]:
    """Events of about 300 bytes, so that the disk is not what is measured."""
    large = 200_000 if quick else 1_000_000
    small = [_story(_SMALL) for _ in range(5)]
    usual = {name: middle([one[name] for one in small]) for name in small[0]}
    found = _story(large)
    rows = []
    for name, what in (("ingest", "ingest"), ("restart", "restart"), ("capture", "capture")):
        factor = large / _SMALL if name != "restart" else 1
        figures = {
            f"{_SMALL}_seconds": round(usual[name], 4),
            f"{large}_seconds": round(found[name], 3),
            "extrapolated_seconds": round(usual[name] * factor, 3),
            "peak_rss_mb": round(found["peak"] / 2**20, 1),
        }
        rows.append(
            Row(
                f"{large:,} events in one session: {what}",
                "extrapolated",
                found[name] / (usual[name] * factor),
                1.2,
                "at most",
                figures=figures,
            )
        )
    return rows


def _story(count: int) -> dict[str, float]:
    """Seconds. A restart is the time from the process' start until the session can be read."""
    with peers.folder() as home:
        with peers.kato(home) as client:
            started = time.perf_counter()
            for start in range(0, count, 1_000):
                batch = corpus.small_events(1_000, "s", start=start)
                # Making them goes on while the server works, and takes a fourth of its time: it is not what is measured.
                client.write(b"".join(corpus.append_frames(corpus.batched(batch, 100), "s")))
            client.request("kato/memory")
            ingest = time.perf_counter() - started
        started = time.perf_counter()
        with peers.kato(home) as client:
            asked = {"provider": corpus.PROVIDER, "sessionId": "s", "after": count - 10, "limit": 10}
            assert len(client.request("kato/readSession", asked)["events"]) == 10
            restart = time.perf_counter() - started
            capture = peers.export(client, home / "notes" / "capture.md")
            peak = client.request("kato/memory")["process"]["peakRss"]
    return {"ingest": ingest, "restart": restart, "capture": capture, "peak": peak}
