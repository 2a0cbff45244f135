"""The windows of an editor: a real `kato serve` each, restarted when it has ended."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from peer import Gone, Json, Peer

if sys.platform != "win32":
    import resource

OPTIONS: Final[Mapping[str, Any]] = {
    "daemonMaxMemoryMb": 110,
    "heartbeatSeconds": 1,
}
#: In one window snapshots come and go, in the other they stay.
SCARCE: Final[Mapping[str, Any]] = {"maxSessions": 6, "maxEventsPerSession": 100}
MEMORY_BYTES_MAX: Final = OPTIONS["daemonMaxMemoryMb"] * 1024 * 1024
#: What a server may hold beyond what it held after its start: a log, a note and its folders, the journal's files.
MORE_DESCRIPTORS_MAX: Final = 12
#: The main thread, the checkpointer's, the watcher's two, asyncio's for names; none more however long it runs.
THREADS_MAX: Final = 8
_START_SECONDS: Final = 60.0


@dataclass
class Resources:
    """What a process holds."""

    descriptors: int
    threads: int
    peak_bytes: int


@dataclass
class Window:
    """One window. `on_executed` gets the outcome of each command, with the window's name."""

    name: str
    state: Path
    folder: Path
    environment: Mapping[str, str]
    options: Mapping[str, Any]
    on_executed: Callable[[Json], None]
    peer: Peer | None = None
    first: Resources | None = None
    starts: int = 0
    peak_bytes: int = 0
    notices: dict[str, int] = field(default_factory=dict)
    lives: list[Peer] = field(default_factory=list)
    _up: threading.Condition = field(default_factory=threading.Condition)

    @property
    def stderr(self) -> Path:
        return self.state.parent / f"stderr-{self.name}"

    def start(self) -> None:
        """Opens the window."""
        with self.stderr.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "kato", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(self.environment),
                bufsize=0,
            )
        peer = Peer(process, self._take)
        self.lives.append(peer)
        peer.initialize({**OPTIONS, **self.options, "stateDir": str(self.state)}, [self.folder])
        peer.request("kato/memory")
        self.starts += 1
        with self._up:
            self.peer = peer
            self.first = held_by(process.pid)
            self._up.notify_all()

    def request(self, method: str, params: Any = None) -> Any:
        """Asks the server that runs now; waits for one. Raises Gone or Refused."""
        with self._up:
            if not self._up.wait_for(lambda: self.peer is not None, _START_SECONDS):
                raise Gone
            peer = self.peer
        assert peer is not None
        return peer.request(method, params)

    def end(self, number: int) -> int:
        """Ends the server by a signal; its exit code."""
        with self._up:
            peer, self.peer = self.peer, None
        assert peer is not None
        self.look(peer)
        peer.process.send_signal(number)
        return peer.ended()

    def close(self) -> int:
        """Closes the window as an editor does."""
        with self._up:
            peer, self.peer = self.peer, None
        assert peer is not None
        self.look(peer)
        return peer.close()

    def look(self, peer: Peer | None = None) -> Resources | None:
        """What the server holds now."""
        peer = peer or self.peer
        found = None if peer is None else held_by(peer.process.pid)
        if found is not None:
            self.peak_bytes = max(self.peak_bytes, found.peak_bytes)
        return found

    def limit_files(self, size: int | None) -> None:
        """The disk is full: no file of this server may grow beyond `size`. None: there is space again."""
        if self.peer is not None:
            soft = resource.RLIM_INFINITY if size is None else size
            resource.prlimit(self.peer.process.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def _take(self, message: Json) -> None:
        if message["method"] == "kato/commandExecuted":
            self.on_executed(message["params"] | {"window": self.name, "at": time.monotonic()})
        elif message["method"] == "kato/notice":
            kind = message["params"]["kind"]
            self.notices[kind] = self.notices.get(kind, 0) + 1


def held_by(pid: int) -> Resources | None:
    """None when the process is gone."""
    try:
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = {line.partition(":")[0]: line.partition(":")[2].split() for line in text.splitlines()}
    if "VmHWM" not in found:  # it has just ended
        return None
    return Resources(descriptors, int(found["Threads"][0]), int(found["VmHWM"][0]) * 1024)


KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
SIGNALS: Final = (KILL, KILL, signal.SIGTERM)
