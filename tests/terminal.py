"""`kato` as a user runs it in a terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def run_kato(
    *arguments: str, cwd: Path, environment: dict[str, str], code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs `kato`, which must end with this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "kato", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def start_on_terminal(
    command: Sequence[str], *, cwd: Path, environment: dict[str, str], stdout: int | None = None
) -> tuple["subprocess.Popen[bytes]", int]:
    """Starts a program on a terminal of its own, with the terminal's other end; `stdout` may be elsewhere."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=environment,
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
    )
    os.close(theirs)
    return process, ours


def shown_on(terminal: int) -> Iterator[bytes]:
    """What a program writes to a terminal, until it ends."""
    try:
        while data := os.read(terminal, 1 << 16):
            yield data
    except OSError:  # Linux: the last process that wrote to it ended
        return


class Terminal:
    """Runs `kato` in a folder, as a user with this home."""

    def __init__(self, environment: dict[str, str], cwd: Path) -> None:
        self.home = Path(environment["HOME"])
        self.environment = environment | {"KATO_STATE_DIR": str(cwd.parent / "state"), "COLUMNS": "140"}
        self.cwd = cwd

    def run(self, *arguments: str, code: int = 0) -> str:
        done = run_kato(*arguments, cwd=self.cwd, environment=self.environment, code=code)
        return done.stdout if code == 0 else done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))
