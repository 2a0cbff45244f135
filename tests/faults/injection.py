"""Faults inside a server's own process: an error, a delay or death at its N-th statement or file operation.

A *step* is an SQLite statement (of any connection, also the checkpointer's) or a call of `os` that changes a file below
the watched folders. Steps are counted from 1. The plan says at which step what happens; the record lists the steps, so that
a first run counts them. Linux alone: descriptors are named by /proc/self/fd.

This module imports nothing of Kato, so that faults can be installed before Kato is.
"""

import errno
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

if sys.platform != "win32":
    import resource

Action = Literal["nothing", "busy", "full", "ioerror", "kill-before", "kill-half", "kill-after"]
"""What happens at the chosen step.

busy         a statement: `database is locked`, not run; a file operation: EAGAIN
full         a statement: `database or disk is full`, its transaction rolled back, as SQLite does it; a write: the first
             half is written, the next write to the file fails; any other file operation: ENOSPC
ioerror      a statement: `disk I/O error`, its transaction rolled back; a file operation: EIO
kill-before  SIGKILL before it
kill-half    SIGKILL after the first half of a write; before any other step
kill-after   SIGKILL after it
"""
_VARIABLE: Final = "KATO_TEST_FAULTS"
_write = os.write  # before it is wrapped


class Plan(NamedTuple):
    """`step` 0: nothing but counting. `times` steps in a row fail. `thread`: the only thread whose steps count.

    In addition to the steps: every write to a file below `slow` takes `delay_ms` longer; no file may grow beyond `file_bytes`,
    where a write fails or, with `file_kill`, kills the process in its middle; the journal's checkpointer is woken each
    `checkpoint_bytes`.
    """

    step: int = 0
    action: Action = "nothing"
    times: int = 1
    under: tuple[str, ...] = ()
    record: str = ""
    slow: str = ""
    delay_ms: int = 0
    thread: str = "MainThread"
    file_bytes: int = 0
    file_kill: bool = False
    checkpoint_bytes: int = 0

    @property
    def makes_errors(self) -> bool:
        """Whether something fails under this plan, unlike one that only kills."""
        return self.action in _ERRNO or (self.file_bytes > 0 and not self.file_kill)

    def environment(self) -> dict[str, str]:
        """The variable that `from_environment` reads."""
        return {_VARIABLE: json.dumps(self._asdict())}


def from_environment(environment: Mapping[str, str]) -> Plan | None:
    """The plan that the environment holds, None if it holds none."""
    text = environment.get(_VARIABLE)
    if text is None:
        return None
    given = json.loads(text)
    return Plan(**given | {"under": tuple(given["under"])})


def install(plan: Plan) -> None:
    """Wraps sqlite3 and os for the rest of this process' life."""
    injector = _Injector(plan)
    injector.wrap_statements()
    injector.wrap_file_operations()
    if plan.file_bytes:
        # Python ignores SIGXFSZ, so that a write beyond the limit fails with EFBIG.
        if plan.file_kill:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan.file_bytes, resource.RLIM_INFINITY))


class _Injector:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._count = 0
        self._lock = threading.Lock()
        self._full: set[str] = set()  # files whose next write fails: the last one was cut short
        self._record = -1
        if plan.record:
            self._record = os.open(plan.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    # --- Counting ---------------------------------------------------------------------------------------

    def _step(self, what: str, *args: object) -> Action:
        """Counts a step; returns what happens at it."""
        if not threading.current_thread().name.startswith(self._plan.thread):
            return "nothing"
        with self._lock:
            self._count += 1
            number = self._count
        if self._record >= 0:
            line = f"{number} {what} {' '.join(map(str, args))}".replace("\n", " ")
            _write(self._record, f"{line[:200]}\n".encode(errors="replace"))
        first = self._plan.step
        return self._plan.action if first and first <= number < first + self._plan.times else "nothing"

    # --- Statements -------------------------------------------------------------------------------------

    def wrap_statements(self) -> None:
        """Every connection that is opened from now on counts its statements, of whatever class it is."""
        connect, counted = sqlite3.connect, cache(self._counted)

        def connecting(*args: Any, **kwargs: Any) -> Any:
            factory = kwargs.pop("factory", sqlite3.Connection)
            return connect(*args, factory=counted(factory), **kwargs)

        sqlite3.connect = connecting

    def _counted(self, base: Any) -> Any:
        """A class of connections that counts statements and is otherwise as `base`."""
        injector = self

        class Cursor(sqlite3.Cursor):
            def execute(self, sql: str, *args: Any) -> Any:
                run = partial(super().execute, sql, *args)
                return injector.statement(self.connection, sql, run)

        class Connection(base):  # type: ignore[misc]
            def execute(self, sql: str, *args: Any) -> Any:
                return injector.statement(self, sql, partial(super().execute, sql, *args))

            def executemany(self, sql: str, *args: Any) -> Any:
                return injector.statement(self, sql, partial(super().executemany, sql, *args))

            def cursor(self, factory: Any = Cursor) -> Any:
                return super().cursor(factory)

        return Connection

    def statement(self, db: sqlite3.Connection, sql: str, run: Callable[[], Any]) -> Any:
        """Runs a statement, or what the plan says in its place."""
        action = self._step("sql", sql)
        if action == "nothing":
            return run()
        if action == "busy":
            raise sqlite3.OperationalError("database is locked")
        if action in ("full", "ioerror"):
            db.rollback()
            raise sqlite3.OperationalError(
                "database or disk is full" if action == "full" else "disk I/O error"
            )
        if action == "kill-after":
            run()
        _die()
        return None

    # --- File operations --------------------------------------------------------------------------------

    def wrap_file_operations(self) -> None:
        """Every call of these functions counts if it concerns a file below the watched folders."""
        for name in ("open", "replace", "rename", "mkdir", "unlink"):
            self._wrap(name, _path_of)
        for name in ("fsync", "ftruncate"):
            self._wrap(name, _file_of)
        write = os.write

        def writing(descriptor: int, data: Any) -> int:
            path = _file_of(descriptor)
            if self._plan.delay_ms and _is_below(path, (self._plan.slow,)):
                time.sleep(self._plan.delay_ms / 1000)
            if not _is_below(path, self._plan.under):
                return write(descriptor, data)
            return self._write(write, descriptor, path, data)

        os.write = writing

    def _wrap(self, name: str, path_of: Callable[..., str]) -> None:
        operation = getattr(os, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            path = path_of(*args, **kwargs)
            if not _is_below(path, self._plan.under) or (name == "open" and not _changes(*args)):
                return operation(*args, **kwargs)
            action = self._step(name, path)
            if action.startswith("kill"):
                if action == "kill-after":
                    operation(*args, **kwargs)
                _die()
            if action in _ERRNO:
                raise OSError(_ERRNO[action], os.strerror(_ERRNO[action]), path)
            return operation(*args, **kwargs)

        setattr(os, name, wrapped)

    def _write(self, write: Callable[[int, Any], int], descriptor: int, path: str, data: Any) -> int:
        action = self._step("write", path, len(data))
        if path in self._full:
            self._full.discard(path)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if action == "full" and len(data) > 1:
            self._full.add(path)
            return write(descriptor, memoryview(data)[: len(data) // 2])
        if action in _ERRNO:
            raise OSError(_ERRNO[action], os.strerror(_ERRNO[action]))
        if action == "kill-half":
            write(descriptor, memoryview(data)[: len(data) // 2])
        if action == "kill-after":
            write(descriptor, data)
        if action.startswith("kill"):
            _die()
        return write(descriptor, data)


_ERRNO: Final[Mapping[str, int]] = {"busy": errno.EAGAIN, "full": errno.ENOSPC, "ioerror": errno.EIO}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _changes(_path: object, flags: int, *_: object) -> bool:
    """Whether opening with these flags can make or change a file."""
    return bool(flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR))


def _path_of(
    path: Any, *_args: Any, dir_fd: int | None = None, src_dir_fd: int | None = None, **_: Any
) -> str:
    """The absolute path that a call is about."""
    name = os.fsdecode(path)
    folder = dir_fd if dir_fd is not None else src_dir_fd
    return str((Path(_file_of(folder)) if folder is not None else Path.cwd()) / name)


def _file_of(descriptor: int, *_: Any) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(folder and path.startswith(folder) for folder in folders)
