"""The fault harness itself: it counts what a server does, fails where it should, and sees what is wrong."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from builders import request
from faults.injection import Plan
from faults.scenario import Drive, batches
from faults.sweep import Run
from faults.zygote import Zygote
from peer import Gone, Peer, Refused

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descriptors are named by /proc")


def test_an_undisturbed_run_is_right_and_its_steps_are_recorded(recorded: list[str]) -> None:
    assert {step.partition(" ")[0] for step in recorded} >= {
        "sql",
        "mkdir",
        "open",
        "write",
        "fsync",
        "replace",
    }
    assert sum(step.startswith("sql COMMIT") for step in recorded) > len(batches())


@pytest.mark.parametrize("action", ["busy", "full", "ioerror"])
def test_a_statement_that_fails_refuses_its_request_once(
    run: Run,
    zygote: Zygote,
    plain_environment: Mapping[str, str],
    recorded: list[str],
    tmp_path: Path,
    action: str,
) -> None:
    begin = 1 + next(n for n, step in enumerate(recorded) if "INSERT INTO chunk" in step)
    drive = Drive(zygote.start, tmp_path / "run", plain_environment, [Plan(begin, action)])  # type: ignore[arg-type]
    assert drive.run() == []
    answers = [answer for life in drive.lives for some in life.answers.values() for answer in some]
    assert sum("error" in answer for answer in answers) == 1


def test_a_kill_ends_the_server_and_the_scenario_goes_on_with_the_next(
    zygote: Zygote, plain_environment: Mapping[str, str], recorded: list[str], tmp_path: Path
) -> None:
    commit = 1 + next(n for n, step in enumerate(recorded) if "INSERT INTO chunk" in step)
    drive = Drive(zygote.start, tmp_path / "run", plain_environment, [Plan(commit, "kill-before")])
    assert drive.run() == []
    assert [life.process.poll() for life in drive.lives] == [-9, 0, 0]


def test_the_oracles_see_lost_doubled_and_foreign_lines_and_files(
    zygote: Zygote, plain_environment: Mapping[str, str], tmp_path: Path
) -> None:
    drive = Drive(zygote.start, tmp_path / "run", plain_environment, [])
    drive.prepare()
    for batch in drive.conversation:
        drive.ask("kato/appendEvents", request(batch, cwd=str(drive.notes)))
    assert drive.problems() == []
    note, copy = drive.notes / "talk.md", drive.notes / "copy.md"
    note.write_text(note.read_text().replace("answer 3", "answer 1"))
    copy.rename(drive.notes / "other.md")
    drive.ask("kato/appendEvents", request(batches()[0], cwd=str(drive.notes)))
    drive.conversation.pop()
    assert [problem.partition(" ")[0] for problem in drive.problems()] == [
        "events",
        "talk.md:",
        "copy.md",
        "other.md",
    ]
    drive.stop()


def test_the_client_sees_a_second_answer_and_one_that_never_comes(
    zygote: Zygote, plain_environment: Mapping[str, str], tmp_path: Path
) -> None:
    peer = Peer(zygote.start(plain_environment, tmp_path / "stderr"))
    peer.initialize({"stateDir": str(tmp_path / "state")}, [])
    with pytest.raises(Refused, match="-32602"):
        peer.request("kato/readSession", {})
    first = peer.send("kato/memory")
    assert peer.answer_to(first)["journal"]["eventCount"] == 0
    peer.answers[first].append({})
    assert peer.answered_again() == ["kato/memory"]
    peer.process.kill()
    with pytest.raises(Gone):
        peer.answer_to(peer.send("kato/status"))
    assert peer.unanswered() == ["kato/status"]
    peer.ended()
