"""What `kato acp` adds to a message between an editor and an agent, and to the agent's start: against a direct connection."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import peers
from benchmarks.rows import Row, middle, percentile

_PAUSE_SECONDS = 0.002
#: An agent that answers each prompt with a chunk of a message and a result.
_AGENT = r"""
import json, sys
out = sys.stdout.buffer
for line in sys.stdin.buffer:
    message = json.loads(line)
    number, method = message["id"], message["method"]
    if method == "session/prompt":
        update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "word " * 40}}
        out.write(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}).encode() + b"\n")
    result = {"sessionId": "s"} if method == "session/new" else {"stopReason": "end_turn"}
    out.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode() + b"\n")
    out.flush()
"""


def proxy(quick: bool) -> list[Row]:
    """Prompts in turns over both connections: from the request to its result, a request and two messages back."""
    count = 500 if quick else 3_000
    with peers.folder() as home:
        program = home / "agent.py"
        program.write_text(_AGENT)
        bare = [sys.executable, str(program)]
        through = [
            str(Path(sys.executable).with_name("kato")),
            "acp",
            "--state-dir",
            str(home / "state"),
            "--",
            *bare,
        ]
        starts = {True: _starts(through, home, quick), False: _starts(bare, home, quick)}
        with _talk(bare, home) as direct, _talk(through, home) as proxied:
            for connection in (direct, proxied):
                for number in range(200):
                    _trip(connection, number)
            time.sleep(8 if not quick else 4)  # the recorder loads what it needs
            plain, ours = [], []
            for number in range(count):
                plain.append(_trip(direct, number))
                ours.append(_trip(proxied, number))
                time.sleep(_PAUSE_SECONDS)
    added = (middle(ours) - middle(plain)) * 1000
    late = (percentile(ours, 0.99) - percentile(plain, 0.99)) * 1000
    figures = {
        "direct_p50_ms": round(middle(plain) * 1000, 3),
        "through_p50_ms": round(middle(ours) * 1000, 3),
        "direct_p99_ms": round(percentile(plain, 0.99) * 1000, 3),
        "through_p99_ms": round(percentile(ours, 0.99) * 1000, 3),
        "ratio_p50": round(middle(ours) / middle(plain), 2),
    }
    began = (middle(starts[True]) - middle(starts[False])) * 1000
    return [
        Row(
            "a prompt and its answer through kato acp, p50",
            "direct",
            added,
            1.0,
            "at most",
            "ms more",
            figures,
        ),
        Row("the same, p99", "direct", late, 5.0, "at most", "ms more", figures),
        Row("the start of an agent through kato acp", "direct", began, 150.0, "at most", "ms more"),
    ]


@contextmanager
def _talk(command: Sequence[str], home: Path) -> "Iterator[subprocess.Popen[bytes]]":
    environment = os.environ | {
        "KATO_CONFIG": os.devnull,
        "KATO_RUNTIME_DIR": str(home / "run"),
        "HOME": str(home),
    }
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=home
    )
    try:
        _ask(process, 0, "session/new", {"cwd": str(home), "mcpServers": []})
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _ask(process: "subprocess.Popen[bytes]", number: int, method: str, params: dict[str, object]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"
    )
    process.stdin.flush()
    while b'"result"' not in process.stdout.readline():
        pass


def _trip(process: "subprocess.Popen[bytes]", number: int) -> float:
    started = time.perf_counter()
    prompt = [{"type": "text", "text": "Why does a B-tree split?"}]
    _ask(process, number, "session/prompt", {"sessionId": "s", "prompt": prompt})
    return time.perf_counter() - started


def _starts(command: Sequence[str], home: Path, quick: bool) -> list[float]:
    """From the start of the process to the answer to its first request."""
    seconds = []
    for _ in range(5 if quick else 15):
        started = time.perf_counter()
        with _talk(command, home):
            seconds.append(time.perf_counter() - started)
    return seconds
