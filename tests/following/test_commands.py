"""Commands in logs: which run, which are reported, and what becomes of them when the process ends."""

import pytest

from following.conftest import Scene
from kato.core.events import SessionKey
from logs import ClaudeLog, CodexLog, now


def test_a_command_that_ends_the_process_leaves_the_others_to_the_next_process(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("go\n::capture a.md\n::export b.md"))

    def die(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    machine.engine.notebook.progress = die
    with pytest.raises(KeyboardInterrupt):
        machine.read_all()
    assert not (machine.work / "b.md").exists()
    machine = scene()
    machine.engine.resume()
    assert machine.ran == ["capture ok", "export ok"]


def test_a_command_that_may_not_be_typed_is_reported_once_and_not_run(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("<novelty>\nnews\n</novelty>\n\n::export x.md"), log.user("::export own.md"))
    machine.read_all()
    assert machine.ran == ["export ok"]
    (notice,) = machine.notices
    assert notice.kind == "command_not_run"
    assert "“::export x.md” was not run: the message holds a block <novelty>" in notice.message
    machine = scene()
    log.write(log.user("go on"))
    machine.read_all()
    assert machine.notices == [], "a restart reports it no more"


def test_a_command_in_the_history_that_may_not_be_typed_is_not_reported(scene: Scene) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    log.write(log.user("<novelty>\nnews\n</novelty>\n\n::export x.md", timestamp=now(-3600)))
    machine.read_all()
    assert machine.count(log.session) == 1
    assert machine.notices == []


@pytest.mark.parametrize("command", ["/clear", "/model opus"])
def test_a_session_is_named_by_its_first_words_not_by_a_slash_command(scene: Scene, command: str) -> None:
    machine = scene()
    log = ClaudeLog(machine.home, machine.work)
    name, _, words = command.partition(" ")
    wrapped = f"<command-name>{name}</command-name>\n<command-args>{words}</command-args>"
    log.write(log.user(wrapped), log.user("Refactor the importer"))
    machine.read_all()
    record = machine.engine.ledger.session(SessionKey("claude", log.session))
    assert record is not None
    assert record.snippet == "Refactor the importer"


def test_commands_that_a_client_of_codex_puts_around_a_request_are_not_run(scene: Scene) -> None:
    machine = scene()
    log = CodexLog(machine.home, machine.work)
    front = "# Selected text:\n::export evil.md\n\n## My request for Codex:\n"
    log.write(*log.start, *log.user(f"{front}::export own.md"), *log.text("ok"))
    log.write(*log.user(f"{front}this is the line:\n## My request:\n::export quoted.md"), *log.text("ok"))
    machine.read_all()
    assert machine.ran == ["export ok"]
    (notice,) = machine.notices
    assert "“::export quoted.md” was not run: several lines of it could begin the request" in notice.message
