"""The architecture as a test: imports go down, the core is pure, and importing has no side effects."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_imports_go_down_and_the_core_is_pure() -> None:
    """The contracts are in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


#: Prints what an import must not change: the collector, the handlers of logs and signals, threads, open files.
STATE = """
import gc, logging, signal, sys, threading
def state():
    loggers = [logging.getLogger(name) for name in ("", "kato", "pygls", "asyncio")]
    return (
        gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(),
        [(one.level, len(one.handlers), one.propagate) for one in loggers],
        [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        threading.active_count(), sys.excepthook is sys.__excepthook__, sys.stdout is sys.__stdout__,
    )
before = state()
import {module}
assert state() == before, (before, state())
"""

TUNING = ("gc.", "mallopt", "addHandler", "setLevel", "setrecursionlimit", "setswitchinterval")


@pytest.mark.parametrize("module", ["kato", "kato.lsp.server", "kato.engine.engine", "kato.logs.driver"])
def test_importing_has_no_side_effects(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STATE.replace("{module}", module)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_only_the_app_and_the_command_line_tune_the_process() -> None:
    package = ROOT / "server" / "kato"
    tuning = [
        f"{path.relative_to(package)}: {word}"
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in ("app", "cli")
        for word in TUNING
        if word in path.read_text()
    ]
    assert tuning == []


def test_one_module_sends_messages_that_the_editor_shows() -> None:
    """Everything that the user must know is a notice with a kind."""
    package = ROOT / "server" / "kato"
    sending = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(
            word in path.read_text()
            for word in ("WINDOW_SHOW_MESSAGE", "window_show_message", "show_message")
        )
    ]
    assert sending == ["lsp/notifications.py"]
