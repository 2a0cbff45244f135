"""Standard output of a process whose standard output is a protocol."""

import os
import sys


def take_stdout() -> int:
    """Returns a private descriptor of stdout. Everything written to descriptor 1 afterwards goes to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - only Windows has it

        msvcrt.setmode(private, os.O_BINARY)
        msvcrt.setmode(0, os.O_BINARY)
    return private
