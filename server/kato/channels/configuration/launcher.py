"""The command with which an assistant starts Kato.

Rule: an assistant runs it in the folder of a project, which the user may not trust. `python -m` would import modules from there:
the console script does not, nor does Python in isolated mode.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def launcher() -> list[str]:
    """The command of this installation, with absolute paths."""
    name = "kato.exe" if os.name == "nt" else "kato"
    for script in (Path(sys.argv[0]).absolute(), Path(sys.executable).with_name(name)):
        if script.name == name and script.is_file():
            return [str(script)]
    return [sys.executable, "-I", "-m", "kato"]


def as_shell(command: Sequence[str]) -> str:
    """A command as one line for the platform's shell."""
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
