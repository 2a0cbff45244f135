"""Compressed logs on a Python that cannot decompress them: one notice, and the same cure in the terminal."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Start
from kato.system import zstd
from logs import CodexLog, now, wait_for
from terminal import Terminal, run_kato


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that has neither the package nor the module of Python 3.14."""
    for name in ("backports", "compression"):
        hidden = tmp_path / "hidden" / name / "__init__.py"
        hidden.parent.mkdir(parents=True)
        hidden.touch()
    return {"PYTHONPATH": str(tmp_path / "hidden")}


def packed(home: Path, cwd: Path, text: str) -> CodexLog:
    log = CodexLog(home, cwd)
    log.write(*[one | {"timestamp": now(-7200)} for one in (*log.start, *log.user(text))])
    content = log.path.read_bytes()
    log.path.unlink()
    log.path = log.path.with_name(f"{log.path.name}.zst")
    log.path.write_bytes(zstd.library().compress(content))
    os.utime(log.path, (time.time() - 7200,) * 2)
    return log


def notices(client: Any) -> list[dict[str, Any]]:
    client.request("kato/status")
    return [
        one["params"]
        for one in client.notifications
        if one["method"] == "kato/notice" and one["params"]["kind"] == "package_missing"
    ]


def test_the_user_of_a_server_is_notified_once(
    start: Start, home: Path, work: Path, bare: dict[str, str]
) -> None:
    for number in range(3):
        packed(home, work, f"number {number}")
    client = start(initialize=False, env=bare)
    client.initialize(
        options={"stateDir": str(work.parent / "state"), "heartbeatSeconds": 0.2},
        folders=[str(work)],
        capabilities={"experimental": {"katoNotice": True}},
    )

    def watching() -> dict[str, Any]:
        found: dict[str, Any] = client.request("kato/status").get("watching", {}).get("unreadable", {})
        return found

    wait_for(lambda: watching().get("compressed") == 3, "the status")
    assert {name: watching()[name] for name in ("folders", "files", "names")} == {
        "folders": 0,
        "files": 0,
        "names": 0,
    }
    (notice,) = wait_for(lambda: notices(client), "the notice")
    assert notice["severity"] == "warning"
    assert 'pip install "kato-lsp[zstd]"' in notice["message"]
    assert notice["data"] == {"package": "kato-lsp[zstd]", "cure": 'pip install "kato-lsp[zstd]"'}


@pytest.mark.parametrize(
    ("arguments", "code"), [(["doctor"], 0), (["keep", "--all"], 0), (["capture", "SESSION", "-"], 1)]
)
def test_every_command_that_meets_such_a_log_names_the_cure(
    terminal: Terminal, bare: dict[str, str], arguments: list[str], code: int
) -> None:
    log = packed(terminal.home, terminal.cwd, "hello")
    arguments = [one.replace("SESSION", log.session) for one in arguments]

    def output(environment: dict[str, str], code: int) -> str:
        done: subprocess.CompletedProcess[str] = run_kato(
            *arguments, cwd=terminal.cwd, environment=environment, code=code
        )
        return done.stdout + done.stderr

    assert 'pip install "kato-lsp[zstd]"' in output(terminal.environment | bare, code)
    assert "zstd]" not in output(terminal.environment, 0)
    assert terminal.json("sessions", "--all")["sessions"][0]["title"] == "hello"
