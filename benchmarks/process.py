"""The process itself: its start, its size and its use of the processor when idle, and its first scan of the logs on disk."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle
from kato.cli.client import Client
from kato.logs import discovery


def start(quick: bool) -> list[Row]:
    """From the process' start until `initialize` is answered, and RSS a moment later; a bare pygls server takes turns."""
    rounds = 5 if quick else 15
    ours, theirs, our_rss, their_rss = [], [], [], []
    for _ in range(rounds):
        with peers.folder() as home:
            seconds, size = _started(
                lambda: Client(environment=peers.environment(home), stderr=subprocess.DEVNULL), home
            )
        ours.append(seconds)
        our_rss.append(size)
        seconds, size = _started(peers.stock_client, None)
        theirs.append(seconds)
        their_rss.append(size)
    figures = {
        "kato_start_ms": round(middle(ours) * 1000),
        "pygls_start_ms": round(middle(theirs) * 1000),
        "kato_rss_mb": round(middle(our_rss) / 2**20, 1),
        "pygls_rss_mb": round(middle(their_rss) / 2**20, 1),
    }
    time_ratio = middle([a / b for a, b in zip(ours, theirs, strict=True)])
    size_ratio = middle(our_rss) / middle(their_rss)
    return [
        Row(
            "start to `initialize` answered",
            "a bare pygls server",
            time_ratio,
            1.15,
            "at most",
            figures=figures,
        ),
        Row("idle RSS", "a bare pygls server", size_ratio, 1.15, "at most", figures=figures),
    ]


def _started(make: Callable[[], Client], home: Path | None) -> tuple[float, int]:
    started = time.perf_counter()
    client = make()
    client.initialize(options={}, folders=[] if home is None else [str(home)])
    seconds = time.perf_counter() - started
    time.sleep(1.0)
    size = peers.rss(client)
    peers.end(client)
    return seconds, size


def idle(quick: bool) -> list[Row]:
    """200 sessions held, heartbeat on, 3,000 logs watched: processor time over a minute."""
    seconds = 20 if quick else 60
    with peers.folder() as home:
        _logs(home, 3_000)
        with peers.kato(home) as client:
            for number in range(200):
                session = f"s{number}"
                for data in corpus.append_frames(corpus.batched(corpus.events(50, session), 50), session):
                    client.write(data)
            client.request("kato/memory")
            time.sleep(12)  # what follows an event (quick looks at logs, the status) is over
            process = psutil.Process(client.process.pid)
            before = _cpu(process)
            time.sleep(seconds)
            used = _cpu(process) - before
            threads, descriptors = process.num_threads(), process.num_fds()
    figures = {"cpu_seconds": used, "seconds": seconds, "threads": threads, "descriptors": descriptors}
    return [Row("idle CPU, 200 sessions", "a core", used / seconds * 100, 0.1, "at most", "%", figures)]


def _cpu(process: psutil.Process) -> float:
    """Processor seconds, finely where the system counts them so (Linux: nanoseconds)."""
    total = 0.0
    folder = Path(f"/proc/{process.pid}/task")
    if folder.is_dir():
        for task in folder.iterdir():
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        return total
    times = process.cpu_times()
    return times.user + times.system


def listing(quick: bool) -> list[Row]:
    """The first list of 3,000 session files, in process, against `os.scandir` and `stat` of the same."""
    rounds = 5 if quick else 15
    with peers.folder() as home:
        _logs(home, 3_000)
        place = discovery.surroundings({"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / ".claude")})
        (root,) = (one for one in discovery.roots(place, {}) if one.path.startswith(str(home / ".claude")))
        ours, theirs = [], []
        for _ in range(rounds):
            started = time.perf_counter()
            found = sum(1 for _ in discovery.scan(root))
            ours.append(time.perf_counter() - started)
            assert found == 3_000, found
            started = time.perf_counter()
            assert _scandir(root.path) == 3_000
            theirs.append(time.perf_counter() - started)
        command = [sys.executable, "-m", "kato", "sessions", "--all", "--json"]
        started = time.perf_counter()
        listed = subprocess.run(command, env=peers.environment(home), capture_output=True, check=True).stdout
        table = time.perf_counter() - started
        assert listed.count(b'"sessionId"') >= 3_000
    figures = {
        "scan_ms": round(middle(ours) * 1000, 1),
        "scandir_stat_ms": round(middle(theirs) * 1000, 1),
        "kato_sessions_command_ms": round(table * 1000),
    }
    ratio = middle([a / b for a, b in zip(ours, theirs, strict=True)])
    return [
        Row("first list of 3,000 session files", "scandir + stat", ratio, 10.0, "at most", figures=figures)
    ]


def _scandir(folder: str) -> int:
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                count += _scandir(entry.path)
            else:
                entry.stat()
                count += 1
    return count


def _logs(home: Path, count: int) -> None:
    """Old sessions of Claude Code in 30 projects, 20 lines each."""
    old = time.time() - 30 * 86_400
    for number in range(count):
        folder = home / ".claude" / "projects" / f"-work-project-{number % 30}"
        folder.mkdir(parents=True, exist_ok=True)
        session = f"00000000-0000-4000-8000-{number:012d}"
        line = (
            f'{{"type":"user","sessionId":"{session}","cwd":"/work/project-{number % 30}","uuid":"%d","version":"2.1.0",'
            '"timestamp":"2026-01-01T10:00:00.000Z","message":{"role":"user","content":"What does this do? '
            + "x" * 300
            + '"}}\n'
        )
        path = folder / f"{session}.jsonl"
        path.write_text("".join(line % index for index in range(20)), encoding="utf-8")
        os.utime(path, (old, old))
