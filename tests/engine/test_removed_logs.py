"""`kato clean` and the assistants' own logs, which still have the removed text: reading them again restores nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.machine import MakeWindow, Window, words
from engine.test_removed import clean
from kato.core.events import SessionKey, UserMessage, decode_line
from kato.logs import discovery
from kato.logs.follow import LogFollower
from kato.logs.handover import storing
from kato.system.clock import now_ms
from logs import ClaudeLog, append, now

#: Seconds from now: before the moment at which `clean` says that the sessions were last updated.
LONG_AGO = -400 * 86_400


class Reading:
    """A window that follows the logs below a home, driven by hand."""

    def __init__(self, window: Window, home: Path) -> None:
        self.window = window
        self._clock = 0.0
        folder = str(window.notes)
        place = discovery.surroundings({}, [folder])
        place = type(place)(place.environment, str(home), place.platform, place.folders)
        self._follower = LogFollower(
            roots=discovery.roots(place, {}),
            place=place,
            ledger=window.engine.ledger,
            store=storing(window.engine, window.engine.commit),
            now_ms=now_ms,
            clock=lambda: self._clock,
        )

    def read(self) -> None:
        """Reads all that is new, and lets it settle."""
        self._follower.news.scan()
        while (pause := self._follower.pause) is not None:
            self._clock += pause
            self._follower.step()
        self._clock += 1
        self._follower.settle(all_of_them=True)


def said(window: Window, session: str, provider: str = "claude") -> list[str]:
    """What the user said in a session, as far as it is kept."""
    events = [decode_line(line) for _, line in window.engine.ledger.read(SessionKey(provider, session))]
    return [event.content for event in events if isinstance(event, UserMessage)]


def sessions(window: Window) -> list[str]:
    return [one.session_id for one in window.engine.status(include_stale=True).sessions]


MakeReading = Callable[[], Reading]


@pytest.fixture
def reading(window: MakeWindow, tmp_path: Path) -> MakeReading:
    """Makes windows that follow logs, one after the other: a restart each time."""
    made: list[Reading] = []

    def make() -> Reading:
        if made:
            made[-1].window.engine.close()
        made.append(Reading(window(f"window-{len(made)}"), tmp_path / "home"))
        return made[-1]

    return make


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def touch(path: Path) -> None:
    """A tool, a backup or the assistant changes the time of a log and nothing else."""
    moment = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(moment, moment))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_log_that_is_touched_does_not_bring_its_session_back(
    reading: MakeReading, home: Path, folder: Path, tmp_path: Path, restarted: bool
) -> None:
    log = ClaudeLog(home, folder)
    log.write(log.user("OLDTEXT"), *log.text("OLDTEXT answer"))
    one = reading()
    one.read()
    assert sessions(one.window) == [log.session]
    clean(tmp_path / "state")
    one = reading() if restarted else one
    touch(log.path)
    one.read()
    assert sessions(one.window) == []
    log.write({"type": "ai-title", "aiTitle": "A title", "sessionId": log.session})
    one.read()
    assert sessions(one.window) == [], "a title alone is no conversation"


@pytest.mark.parametrize("restarted", [False, True])
def test_events_after_the_removal_are_stored_and_live(
    reading: MakeReading, home: Path, folder: Path, tmp_path: Path, restarted: bool
) -> None:
    log = ClaudeLog(home, folder)
    one = reading()
    log.write(log.user("OLDTEXT\n::export old.md"), *log.text("OLDTEXT answer"))
    one.read()
    assert one.window.ran == ["export ok"]
    clean(tmp_path / "state")
    one = reading() if restarted else one
    log.write(log.user("NEWTEXT\n::capture new.md", timestamp=now(60)), *log.text("NEWTEXT answer"))
    one.read()
    assert said(one.window, log.session) == ["NEWTEXT\n::capture new.md"]
    assert one.window.ran[-1] == "capture ok"
    assert one.window.ran.count("export ok") == (0 if restarted else 1), (
        "the removed command does not run again"
    )
    log.write(log.user("LATER", timestamp=now(61)))
    one.read()
    assert words(folder / "new.md") == ["NEWTEXT", "::capture new.md", "NEWTEXT answer", "LATER"]


def test_a_log_that_was_copied_elsewhere_does_not_bring_it_back(
    reading: MakeReading, home: Path, folder: Path, tmp_path: Path
) -> None:
    log = ClaudeLog(home, folder)
    log.write(log.user("OLDTEXT"))
    one = reading()
    one.read()
    clean(tmp_path / "state")
    copied = log.path.parent.with_name("another-project") / log.path.name
    copied.parent.mkdir()
    copied.write_bytes(log.path.read_bytes())
    one.read()
    assert sessions(one.window) == []


def test_the_other_store_of_an_assistant_does_not_restore_removed_events(
    reading: MakeReading, home: Path, folder: Path, tmp_path: Path
) -> None:
    """It has the same words under ids of its own: their time counts."""
    storage = home / ".config" / "Code" / "User" / "workspaceStorage" / "abc"
    storage.mkdir(parents=True)
    (storage / "workspace.json").write_text(json.dumps({"folder": f"file://{folder}"}))

    def asked(ident: str, text: str, offset: float) -> dict[str, Any]:
        return {
            "requestId": ident,
            "timestamp": now_ms() + int(offset * 1000),
            "message": {"text": text},
            "response": [{"value": f"{text} answer"}],
            "modelState": {"value": 1},
        }

    def event(kind: str, number: int, offset: float, **data: Any) -> dict[str, Any]:
        return {"type": kind, "data": data, "id": f"e{number}", "timestamp": now(offset), "parentId": None}

    state = {"version": 3, "sessionId": "s-1", "requests": [asked("r1", "OLDTEXT", LONG_AGO)]}
    append(storage / "chatSessions" / "s-1.jsonl", {"kind": 0, "v": state})
    one = reading()
    one.read()
    assert said(one.window, "s-1", "copilot") == ["OLDTEXT"]
    clean(tmp_path / "state")
    append(
        storage / "GitHub.copilot-chat" / "transcripts" / "s-1.jsonl",
        event("session.start", 0, LONG_AGO, sessionId="s-1", copilotVersion="0.47.0"),
        event("user.message", 1, LONG_AGO, content="OLDTEXT", attachments=[]),
        event("assistant.message", 2, LONG_AGO, messageId="m", content="OLDTEXT answer", toolRequests=[]),
    )
    one.read()
    assert sessions(one.window) == []
    append(
        storage / "GitHub.copilot-chat" / "transcripts" / "s-1.jsonl",
        event("user.message", 3, 0, content="NEWTEXT", attachments=[]),
    )
    one.read()
    assert said(one.window, "s-1", "copilot") == ["NEWTEXT"]


def test_sub_agents_go_and_stay_away_with_their_session(
    reading: MakeReading, home: Path, folder: Path, tmp_path: Path
) -> None:
    log = ClaudeLog(home, folder)
    call = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "OLDTEXT look"}}
    result = [{"type": "tool_result", "tool_use_id": "t1", "content": "fine"}]
    log.write(log.user("go"), *log.reply(call, stop="tool_use"))
    log.write(log.line("user", {"role": "user", "content": result}, toolUseResult={"agentId": "a1"}))
    agent = log.path.with_suffix("") / "subagents" / "agent-a1.jsonl"
    append(agent, log.user("OLDTEXT look", isSidechain=True), *log.text("OLDTEXT seen"))
    one = reading()
    one.read()
    assert len(sessions(one.window)) == 2
    clean(tmp_path / "state")
    for path in (log.path, agent):
        touch(path)
    one = reading()
    one.read()
    assert sessions(one.window) == []
