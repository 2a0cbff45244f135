"""The floor of any server: reads frames from the pipe, `orjson.loads` each, does nothing with them; answers requests."""

import sys
from typing import BinaryIO

import orjson


def main() -> None:
    """Until the end of input."""
    source, sink = open(0, "rb", buffering=1 << 20, closefd=False), sys.stdout.buffer  # noqa: SIM115
    while header := source.readline():
        length = int(header[16:])
        source.readline()
        message = orjson.loads(source.read(length))
        if "id" in message:
            _answer(sink, message["id"])


def _answer(sink: BinaryIO, request_id: int) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": None})
    sink.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sink.flush()


if __name__ == "__main__":
    main()
