"""The transport of `kato mcp`: a message a line on stdin, an answer a line on stdout.

Rules: a line that is too long is dropped and answered with an error, and the next one is read as usual. Nothing but answers
goes to stdout: a stray `print` goes to stderr.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from kato.core.lenient_json import dumps
from kato.system.stdout import take_stdout

#: A request holds a path or some words.
LINE_BYTES_MAX: Final = 1024 * 1024
_READ_BYTES: Final = 64 * 1024


def serve(answer: Callable[[bytes], bytes | None]) -> None:
    """Answers until stdin ends or the client closes stdout."""
    stdout = os.fdopen(take_stdout(), "wb")
    try:
        for line in lines(0):
            reply = _TOO_LONG if line is None else answer(line)
            if reply is not None:
                stdout.write(reply + b"\n")
                stdout.flush()
    except BrokenPipeError:
        pass
    finally:
        with suppress(BrokenPipeError):
            stdout.close()


_TOO_LONG: Final = dumps(
    {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": f"a message has at most {LINE_BYTES_MAX} bytes"},
    }
)


def lines(descriptor: int) -> Iterator[bytes | None]:
    """The lines that come from a descriptor, without those that are blank; None for one that is too long."""
    rest = bytearray()
    is_too_long = False
    while data := os.read(descriptor, _READ_BYTES):
        *ended, last = data.split(b"\n")
        for part in ended:
            line = bytes(rest) + part
            rest.clear()
            if is_too_long or len(line) > LINE_BYTES_MAX:
                is_too_long = False
                yield None
            elif line.strip():
                yield line
        if not is_too_long:
            rest += last
        if len(rest) > LINE_BYTES_MAX:
            rest.clear()
            is_too_long = True
    if rest.strip():
        yield bytes(rest)
