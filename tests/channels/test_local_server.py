"""The local socket of a process: how it ends."""

import asyncio
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kato.app.local_server import LocalServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no local sockets")


async def nothing(_request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def test_a_connection_that_comes_while_the_process_ends_leaves_no_defect(tmp_path: Path) -> None:
    """Another process that starts checks whether this one still listens."""
    defects: list[dict[str, Any]] = []

    async def ends() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: defects.append(context))
        server = LocalServer({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}, nothing)
        server.start(loop)
        await asyncio.sleep(0.05)  # it listens
        assert server.path is not None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.connect(server.path)
            loop.call_soon(
                server.stop
            )  # in the turn in which the loop sees the connection, before it accepts it
            await asyncio.sleep(0.05)

    asyncio.run(ends())
    assert defects == []
