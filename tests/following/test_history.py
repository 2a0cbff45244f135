"""Which events are history: copies, texts that grew, and what was typed before a folder was opened."""

import pytest

from following.conftest import Scene
from kato.core.events import AssistantMessage, SessionKey, decode_line
from kato.core.moments import rfc3339
from kato.system.clock import now_ms
from logs import ClaudeLog, append, now


def test_a_fork_with_copied_lines_under_its_own_id_does_not_run_their_commands_again(scene: Scene) -> None:
    machine = scene()
    log, fork = ClaudeLog(machine.home, machine.work), ClaudeLog(machine.home, machine.work)
    typed = log.user("::capture a.md")
    log.write(typed)
    machine.read_all()
    fork.write(typed | {"sessionId": fork.session}, fork.user("::export b.md"))
    machine.read_all()
    assert machine.ran == ["capture ok", "export ok"]
    assert machine.count(fork.session) == 2


def test_what_was_typed_before_a_folder_was_opened_is_history(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("::capture a.md", timestamp=now(-5)))
    log.write(log.user("::export b.md", timestamp=rfc3339(now_ms() + 1000)))
    machine.read_all()
    assert machine.ran == ["export ok"]


@pytest.mark.parametrize("steps", [("Hel", "Hello, you."), ("Hel", "Hello", "Hello, you."), ("Hello, you.",)])
def test_a_text_that_grew_while_kato_did_not_run_is_stored_to_its_end(
    scene: Scene, steps: tuple[str, ...]
) -> None:
    chats = scene().home / ".gemini" / "tmp" / "p" / "chats"
    chats.mkdir(parents=True)
    log = chats / "session-2026-05-01T10-00-1234abcd.json"
    for text in steps * 2:
        machine = scene()  # a restart each time
        (chats.parent / ".project_root").write_text(str(machine.work))
        messages = [
            {"id": "m1", "timestamp": now(), "type": "user", "content": "hi"},
            {"id": "m2", "timestamp": now(), "type": "gemini", "content": text},
        ]
        log.unlink(missing_ok=True)
        append(log, {"sessionId": "1234abcd-0000", "messages": messages})
        machine.read_all()
    key = SessionKey("gemini", "1234abcd-0000")
    kept = [decode_line(line) for _, line in machine.engine.ledger.read(key)]
    assert "".join(event.content for event in kept if isinstance(event, AssistantMessage)) == "Hello, you."
    assert len(kept) == 1 + len(steps)
