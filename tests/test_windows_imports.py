"""Every test module can be imported on Windows: what a system lacks skips tests, it does not stop their collection."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
MODULES = sorted(
    ".".join(path.relative_to(TESTS).with_suffix("").parts)
    for path in TESTS.rglob("*.py")
    if path.name not in ("__main__.py", "__init__.py", Path(__file__).name)
)
#: Imports the modules where POSIX' own modules and signals are missing. Kato and its dependencies are loaded before.
PROGRAM = """
import importlib, os, pkgutil, signal, sys
import asyncio, multiprocessing, subprocess, tempfile
import hypothesis, lsprotocol.types, markdown_it, html5lib, pygls.lsp.server, pytest, pytest_lsp, psutil, watchfiles
import kato
for found in pkgutil.walk_packages(kato.__path__, "kato."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGUSR1", "setitimer"):
    delattr(signal, name)
for name in ("fork", "getuid", "geteuid", "mkfifo", "fchmod", "waitstatus_to_exitcode"):
    delattr(os, name)
sys.platform = "win32"
failed = []
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except pytest.skip.Exception:
        pass
    except BaseException as error:
        failed.append(f"{module}: {type(error).__name__}: {error}")
print("\\n".join(failed))
"""


def test_every_test_module_can_be_imported_on_windows() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *MODULES],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
