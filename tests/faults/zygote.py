"""Servers in milliseconds: a process that has loaded Kato and forks servers on request.

    test ── {environment} + stdin, stdout, stderr ──► zygote ── fork ──► kato serve, with faults
         ◄── {pid} ──                                        ── wait ──► {status}

A fresh interpreter takes a third of a second to load Kato, a fork of one that has loaded it some milliseconds: hundreds of
kill points fit in a minute. The zygote has one thread, so that forking is safe (a test runner's process has more).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

_REQUEST_BYTES_MAX: Final = 65_536


class Forked:
    """A process that the zygote forked, with what a test needs of `subprocess.Popen`."""

    def __init__(self, zygote: "Zygote", pid: int, stdin: int, stdout: int) -> None:
        self._zygote = zygote
        self.pid = pid
        self.stdin: IO[bytes] = os.fdopen(stdin, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(stdout, "rb", buffering=0)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs; -n after signal n."""
        if self.returncode is None:
            status = self._zygote.ask({"wait": self.pid})["status"]
            if status is not None:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; raises TimeoutError."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not end")
            time.sleep(0.001)
        return code

    def send_signal(self, number: int) -> None:
        """Sends a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The zygote, seen from the test."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tests = Path(__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(tests)},
        )
        theirs.close()

    def ask(self, request: Mapping[str, Any], descriptors: tuple[int, ...] = ()) -> Any:
        """A request and its answer."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        return json.loads(self._socket.recv(_REQUEST_BYTES_MAX))

    def start(self, environment: Mapping[str, str], stderr: Path) -> Forked:
        """`kato serve` with this environment (and the faults that it holds)."""
        in_read, in_write = os.pipe()
        out_read, out_write = os.pipe()
        log = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            answer = self.ask({"environment": dict(environment)}, (in_read, out_write, log))
        finally:
            for descriptor in (in_read, out_write, log):
                os.close(descriptor)
        return Forked(self, answer["pid"], in_write, out_read)

    def close(self) -> None:
        """Ends the zygote; servers that still run see their input end."""
        self._socket.close()
        self._process.wait(10)


def _serve(connection: socket.socket) -> None:
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, _REQUEST_BYTES_MAX, 3)
        if not data:
            return
        request = json.loads(data)
        answer: dict[str, Any]
        if (pid := request.get("wait")) is not None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            answer = {"status": status if ended else None}
        else:
            pid = os.fork()
            if pid == 0:
                connection.close()
                _become_server(request["environment"], descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            answer = {"pid": pid}
        connection.send(json.dumps(answer).encode())


def _become_server(environment: Mapping[str, str], descriptors: list[int]) -> None:
    """In the child: never returns."""
    code = 70
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        # The streams of the zygote remember what its descriptors could do, such as seeking.
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - the process ends with them
            for number, mode in enumerate("rww")
        )
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        from faults.launcher import main

        sys.argv = ["kato", "serve"]
        code = main()
    except Exception:  # noqa: BLE001 - the test reads what it was from stderr
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _load() -> None:
    """Everything that a server loads, also on first use; and the converter of LSP's types, which takes longest to make."""
    import pygls.lsp.server
    import ruamel.yaml
    import watchfiles
    from lsprotocol import types
    from pygls.protocol import default_converter

    import kato.__main__
    import kato.cli.main
    import kato.lsp.server

    converter = default_converter()  # type: ignore[no-untyped-call]
    vars(kato.lsp.server)["default_converter"] = lambda: converter
    folder = {"uri": "file:///folder", "name": "folder"}
    params: dict[str, Any] = {
        "processId": 1,
        "rootUri": None,
        "capabilities": {},
        "workspaceFolders": [folder],
    }
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    converter.structure(initialize, types.InitializeRequest)
    folders = types.WorkspaceFoldersServerCapabilities(supported=True)
    capabilities = types.ServerCapabilities(
        text_document_sync=types.TextDocumentSyncOptions(),
        execute_command_provider=types.ExecuteCommandOptions([]),
        workspace=types.WorkspaceOptions(workspace_folders=folders),
    )
    answer = types.InitializeResult(capabilities, types.ServerInfo("kato"))
    converter.unstructure(types.InitializeResponse(1, answer))
    del pygls, ruamel, watchfiles


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
