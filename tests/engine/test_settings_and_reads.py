"""Settings that change while the engine runs, and reads next to open appends."""

from pathlib import Path

from builders import request, user
from engine.machine import MakeWindow
from kato.core import layers
from kato.lsp import wire


def test_new_settings_are_in_force_after_one_call(window: MakeWindow, tmp_path: Path) -> None:
    one = window()
    for number in range(3):
        one.append(user("hello", number, sessionId=f"s{number}"), sessionId=f"s{number}")
    assert len(one.engine.store.keys()) == 3
    other = tmp_path / "other"
    other.mkdir()
    explicit = {"stateDir": str(tmp_path / "state"), "maxSessions": 1, "markdown.timezone": "Asia/Tokyo"}
    chosen = layers.resolve(explicit=explicit, environment={}, file=None, file_name="config.toml")
    one.assembly.apply(chosen, [str(other)])
    assert len(one.engine.store.keys()) == 1
    assert one.engine.locations.workspace_folders == (str(other),)
    one.append(user(f"::capture {other / 'n.md'}", 9))
    assert one.ran == ["capture ok"]
    assert "# User_2026-02-25_1513" in (other / "n.md").read_text()


def test_appends_that_are_open_are_committed_before_new_settings_are_in_force(
    window: MakeWindow, tmp_path: Path
) -> None:
    one = window()
    ticket = one.engine.append(wire.decode_append(request([user("hello")], cwd=str(one.notes))))
    chosen = layers.resolve(
        explicit={"stateDir": str(tmp_path / "state")}, environment={}, file=None, file_name="config.toml"
    )
    one.assembly.apply(chosen, [str(one.notes)])
    assert ticket.answer is not None
    assert ticket.answer.accepted == 1


def test_reads_show_what_is_committed_and_do_not_commit(window: MakeWindow) -> None:
    one = window()
    first = one.append(user("hello", 1))
    ticket = one.engine.append(wire.decode_append(request([user("more", 2)], cwd=str(one.notes))))
    page = one.engine.read_session(first.key, after=0, limit=10)
    assert page.total == 1
    assert [session.event_count for session in one.engine.status(include_stale=True).sessions] == [1]
    assert "more" not in one.engine.render_session(first.key).text
    one.engine.memory_status()
    answers = [ticket.answer]
    one.engine.commit()
    answers.append(ticket.answer)
    assert [answer is None for answer in answers] == [True, False]
    assert one.engine.read_session(first.key, after=0, limit=10).total == 2
