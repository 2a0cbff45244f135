"""`kato capture` as a whole process: what the things that a note shows of tool calls cost the user."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks import corpus, peers
from benchmarks.rows import Row, middle

#: `markdown.toolCalls` and `notes.redactSecrets`. The first is what a note showed before it had summaries and masking.
_SETTINGS: Final = (("hidden", "off"), ("summary", "mask"), ("full", "mask"))
_GOALS: Final = {"summary": 1.1, "full": 2.0}


def capture(quick: bool) -> list[Row]:
    """Processor time of `kato capture` of a Claude Code log, against the same without summaries and masking, in turn."""
    rounds = 3 if quick else 9
    events = corpus.events(1_000 if quick else 3_000)
    with peers.folder() as home:
        log = home / ".claude" / "projects" / "-work" / "session.jsonl"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"\n".join(map(orjson.dumps, _claude_log(events))) + b"\n")
        used: dict[str, list[float]] = {shown: [] for shown, _ in _SETTINGS}
        for number in range(rounds + 1):
            for shown, redact in _SETTINGS:
                one = _captured(home, log, shown, redact)
                if number:  # the first one compiles and warms the file cache
                    used[shown].append(one)
        size = log.stat().st_size
    return [_row(shown, used, size) for shown in _GOALS]


def _row(shown: str, used: Mapping[str, Sequence[float]], size: int) -> Row:
    ours, theirs = used[shown], used[_SETTINGS[0][0]]
    what = f"kato capture of a log of {size / 1e6:.0f} MB, tool calls: {shown}"
    ratio = middle([a / b for a, b in zip(ours, theirs, strict=True)])
    figures = {"cpu_ms": round(middle(ours) * 1000), "hidden_cpu_ms": round(middle(theirs) * 1000)}
    return Row(what, "hidden, unmasked", ratio, _GOALS[shown], "at most", figures=figures)


def _captured(home: Path, log: Path, shown: str, redact: str) -> float:
    """Processor seconds of one run."""
    environment = peers.environment(home)
    Path(environment["KATO_CONFIG"]).write_text(f'[notes]\nredactSecrets = "{redact}"\n', encoding="utf-8")
    command = [sys.executable, "-m", "kato", "capture", log.stem, "-", f"--tools={shown}"]
    process = subprocess.Popen(command, env=environment, cwd=home, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return usage.ru_utime + usage.ru_stime


def _claude_log(events: list[corpus.Event]) -> Iterator[corpus.Event]:
    """The events as records of a Claude Code session."""
    parent = None
    for number, event in enumerate(events):
        role, message = _message(number, event)
        uuid = f"00000000-0000-4000-8000-{number:012d}"
        yield {
            "parentUuid": parent, "isSidechain": False, "userType": "external", "cwd": "/work", "sessionId": "session", "version": "2.1.0",
            "gitBranch": "main", "type": role, "message": message, "uuid": uuid, "timestamp": event["timestamp"],
        }  # fmt: skip
        parent = uuid


def _message(number: int, event: corpus.Event) -> tuple[str, dict[str, Any]]:
    kind = event["kind"]
    if kind == "message.user":
        return "user", {"role": "user", "content": event["content"]}
    if kind == "tool.result":
        result = {"type": "tool_result", "tool_use_id": event["toolCallId"], "content": event["result"]}
        return "user", {"role": "user", "content": [result]}
    block: dict[str, Any]
    if kind == "tool.call":
        block = {
            "type": "tool_use",
            "id": event["toolCallId"],
            "name": event["name"],
            "input": event["input"],
        }
    elif kind == "thinking":
        block = {"type": "thinking", "thinking": event["content"], "signature": ""}
    else:
        block = {"type": "text", "text": event["content"]}
    ended = "end_turn" if kind == "message.assistant" else "tool_use"
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "model-1",
        "content": [block],
    }
    return "assistant", message | {"stop_reason": ended, "usage": {"input_tokens": 9, "output_tokens": 9}}
