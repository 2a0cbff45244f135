"""Session logs as the assistants write them: our own words in their formats, now."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    pytest.fail(f"{what} did not come within {seconds} s")


def now(offset_seconds: float = 0) -> str:
    moment = time.time() + offset_seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(moment)) + f"{int(moment * 1000) % 1000:03d}Z"


class ClaudeLog:
    """A session of Claude Code: a project folder and a file are made with the first line."""

    def __init__(self, home: Path, cwd: Path, session: str | None = None) -> None:
        self.session = session or str(uuid.uuid4())
        self.cwd = cwd
        slug = "".join(char if char.isalnum() else "-" for char in str(cwd))
        self.path = home / ".claude" / "projects" / slug / f"{self.session}.jsonl"
        self._parent: str | None = None

    def line(self, kind: str, message: Json, **more: Any) -> Json:
        record = {
            "parentUuid": self._parent,
            "isSidechain": False,
            "userType": "external",
            "cwd": str(self.cwd),
            "sessionId": self.session,
            "version": "2.1.42",
            "type": kind,
            "message": message,
            "uuid": str(uuid.uuid4()),
            "timestamp": now(),
        } | more
        self._parent = str(record["uuid"])
        return record

    def user(self, text: str, **more: Any) -> Json:
        return self.line("user", {"role": "user", "content": text}, **more)

    def reply(self, *blocks: Json, stop: str | None = "end_turn", **more: Any) -> list[Json]:
        """One reply, a line a block, as Claude writes it."""
        message_id = f"msg_{uuid.uuid4().hex[:24]}"
        lines = []
        for index, block in enumerate(blocks):
            reason = stop if index == len(blocks) - 1 else None
            message = {
                "id": message_id,
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-5",
                "content": [block],
                "stop_reason": reason,
            }
            lines.append(self.line("assistant", message, requestId=f"req_{message_id[4:]}", **more))
        return lines

    def text(self, text: str) -> list[Json]:
        return self.reply({"type": "text", "text": text})

    def write(self, *records: Json) -> None:
        append(self.path, *records)


def append(path: Path, *records: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


class CodexLog:
    """A rollout of Codex in its date folder: a user's message comes twice, a reply too."""

    def __init__(self, home: Path, cwd: Path, session: str | None = None) -> None:
        self.session = session or str(uuid.uuid4())
        day = time.strftime("%Y/%m/%d")
        name = f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S')}-{self.session}.jsonl"
        self.path = home / ".codex" / "sessions" / day / name
        meta = {
            "id": self.session,
            "timestamp": now(),
            "cwd": str(cwd),
            "originator": "codex-tui",
            "cli_version": "0.125.0",
            "source": "cli",
        }
        self.start = [
            self.record("session_meta", meta),
            self.record("turn_context", {"turn_id": "t1", "cwd": str(cwd), "model": "gpt-5.5"}),
        ]

    def record(self, kind: str, payload: Json) -> Json:
        return {"timestamp": now(), "type": kind, "payload": payload}

    def user(self, text: str) -> list[Json]:
        content = [{"type": "input_text", "text": text}]
        return [
            self.record("response_item", {"type": "message", "role": "user", "content": content}),
            self.record(
                "event_msg", {"type": "user_message", "message": text, "images": [], "local_images": []}
            ),
        ]

    def text(self, text: str, phase: str = "final_answer") -> list[Json]:
        content = [{"type": "output_text", "text": text}]
        return [
            self.record("event_msg", {"type": "agent_message", "message": text, "phase": phase}),
            self.record(
                "response_item", {"type": "message", "role": "assistant", "content": content, "phase": phase}
            ),
        ]

    def write(self, *records: Json) -> None:
        append(self.path, *records)


def overflow_the_queue(folder: Path) -> None:
    """More changes than Linux keeps for a watcher of this folder."""
    allowed = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(allowed // 2 + 1):  # two files in turn: the kernel joins what is the same
        for name in ("a", "b"):
            with (folder / name).open("a") as file:
                file.write("x")


def watches(pid: int) -> int:
    """How many inotify watches a process has."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            count += descriptor.read_text().count("inotify wd:")
        except FileNotFoundError:
            continue
    return count
