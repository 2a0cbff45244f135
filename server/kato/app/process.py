"""The memory of this process: measured, tuned, returned to the system; and which processes are alive, on each platform.

Rule: a measurement takes microseconds, so that it can be taken while events are appended.
"""

import ctypes
import gc
import linecache
import os
import platform
import sys
import time
import zlib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from kato.core import limits
from kato.core.limits import MIB
from kato.core.views import ProcessMemory

_LINUX: Final = sys.platform == "linux"
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

# glibc, malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def sample() -> ProcessMemory:
    """The memory that the process takes now, and the most it ever took (bytes)."""
    if _LINUX:
        peak, rss, vms = _proc_status()
        return ProcessMemory(rss, _linux_uss(rss), vms, peak)
    import psutil  # noqa: PLC0415 - as below

    info = psutil.Process().memory_full_info()
    return ProcessMemory(info.rss, getattr(info, "uss", None), info.vms, _peak(info))


def rss_bytes() -> int:
    """Resident memory now; about two microseconds on Linux."""
    if _LINUX:
        global _statm  # noqa: PLW0603 - one descriptor for the process' life
        if _statm is None:
            _statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        return int(os.pread(_statm, 100, 0).split()[1]) * _PAGE_BYTES
    import psutil  # noqa: PLC0415 - as below

    return int(psutil.Process().memory_info().rss)


_statm: int | None = None


def tame_allocator() -> None:
    """Call at the start. glibc raises its thresholds when large blocks are freed (to 32 MiB and 64 MiB), after which a
    freed frame stays in the heap; fixed thresholds keep large frames apart and give them back when they are freed. They
    are not lower, because orjson allocates twelve times a message's length to read it: with a new mapping for each message
    of 100 kB, that took 37 page faults a message. One arena: the server has one thread that allocates.
    """
    libc = _libc()
    if libc is not None and hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 2 * MIB)
        libc.mallopt(_M_TRIM_THRESHOLD, 4 * MIB)
        libc.mallopt(_M_ARENA_MAX, 1)


def leave_out_openssl() -> None:
    """Call before asyncio and hashlib are imported. They load OpenSSL (4 to 6 MB, a tenth of the start): asyncio for connections
    that Kato never opens, hashlib for what Python computes itself. Both work without it; later imports of it find it as usual.
    """
    left_out = [name for name in ("ssl", "_hashlib") if name not in sys.modules]
    if "hashlib" in sys.modules or not _has_own_hashes():
        left_out = [name for name in left_out if name != "_hashlib"]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type] # None makes an import raise ImportError
    try:
        import asyncio  # noqa: F401, PLC0415 - the imports that this function is for
        import hashlib  # noqa: F401, PLC0415
    finally:
        for name in left_out:
            del sys.modules[name]


def _has_own_hashes() -> bool:
    """False where Python was built without some of them: hashlib then reports an error for each that OpenSSL does not provide."""
    sha2 = ["_sha2"] if sys.version_info >= (3, 12) else ["_sha256", "_sha512"]
    try:
        for name in ("_md5", "_sha1", "_sha3", "_blake2", *sha2):
            import_module(name)
    except ImportError:
        return False
    return True


def freeze_heap() -> None:
    """Call when everything that stays is loaded. Collections skip it from then on (a full one took 20 ms, now 0.5 ms), and the
    source texts that attrs generated for lsprotocol's classes are freed (1.4 MB, for tracebacks only).
    """
    linecache.clearcache()
    gc.freeze()
    _release()


def trim() -> None:
    """Returns freed memory to the system: a collection, then malloc_trim (glibc) or its counterpart on macOS."""
    gc.collect()
    _release()


def _release() -> None:
    libc = _libc()
    if libc is None:
        return
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    elif hasattr(libc, "malloc_zone_pressure_relief"):
        libc.malloc_zone_pressure_relief(None, ctypes.c_size_t(0))


def identity(pid: int) -> str | None:
    """`<pid>:<when it started>`: identifies a process even if its id is reused. None if no process has this id, or if
    the process ended and its parent has not read its exit code yet.
    """
    return _linux_identity(pid) if _LINUX else _portable_identity(pid)


def _linux_identity(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - the shortest way
            state, *fields = file.read(4096).rpartition(b")")[2].split()
        if state in _ENDED_STATES:
            return None
        started = fields[18].decode()  # in clock ticks since the boot
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:  # noqa: PTH123
            return f"{pid}:{started}@{file.read(8).decode()}"
    except (OSError, IndexError, ValueError):
        return None


#: proc(5): a zombie, and dead.
_ENDED_STATES: Final = frozenset({b"Z", b"X", b"x"})


def _portable_identity(pid: int) -> str | None:
    import psutil  # noqa: PLC0415 - 6 ms and 0.6 MB that Linux does not need

    try:
        process = psutil.Process(pid)
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
        return f"{pid}:{process.create_time():.2f}"
    except (psutil.Error, ValueError, OverflowError):
        return None


def is_alive(process: str) -> bool:
    """True while the process of this identity runs."""
    pid, _, started = process.partition(":")
    return pid.isdigit() and bool(started) and identity(int(pid)) == process


def mark() -> str:
    """`<pid>-<where>-<when it started>`, for names of files: identifies this process among those of all machines and
    containers that share a folder.
    """
    return f"{os.getpid()}-{_where()}-{_checksum(identity(os.getpid()) or '')}"


def is_mark_gone(mark: str, age_seconds: float) -> bool:
    """True when the process of a mark ended. Whether one of another machine or container runs cannot be seen from here:
    it counts as gone once its file has not changed for an hour.
    """
    pid, where, started = mark.split("-")
    if where != _where():
        return age_seconds > limits.FOREIGN_LEFTOVER_SECONDS
    found = identity(int(pid))
    return found is None or _checksum(found) != started


@cache
def _where() -> str:
    """The machine's boot and the container's numbering of processes; where the system has neither, the machine's name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        return _checksum(boot + os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - not a path
    except OSError:
        return _checksum(platform.node())


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def is_running(pid: int, identified: str | None = None) -> bool:
    """True while the process of this identity runs; where none is known, while any process has this id."""
    return identity(pid) is not None if identified is None else is_alive(identified)


def _libc() -> ctypes.CDLL | None:
    global _loaded, _libc_handle  # noqa: PLW0603 - looked up once
    if not _loaded:
        _loaded = True
        if sys.platform != "win32":
            try:
                _libc_handle = ctypes.CDLL(None)
            except OSError:
                _libc_handle = None
    return _libc_handle


_loaded = False
_libc_handle: ctypes.CDLL | None = None


def _proc_status() -> tuple[int, int, int]:
    """Peak RSS, RSS and virtual size out of /proc/self/status."""
    found = {b"VmHWM": 0, b"VmRSS": 0, b"VmSize": 0}
    with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123 - the shortest way
        for line in file.read(8192).split(b"\n"):
            name, _, value = line.partition(b":")
            if name in found:
                found[name] = int(value.split()[0]) * 1024
    return found[b"VmHWM"], found[b"VmRSS"], found[b"VmSize"]


def _linux_uss(rss: int) -> int | None:
    """Unique set size, summed by the kernel (smaps_rollup, Linux 4.14); None where the system has none. The kernel takes one or
    two milliseconds for the sum, so it is read at most once a second, and only after RSS changed.
    """
    global _uss  # noqa: PLW0603 - the last sum
    now = time.monotonic()
    if _uss is None or (_uss.rss != rss and now >= _uss.asked_at + _USS_SECONDS):
        _uss = _Uss(rss, now, _smaps_uss())
    return _uss.value


class _Uss(NamedTuple):
    rss: int
    asked_at: float
    value: int | None


_USS_SECONDS: Final = 1.0
_uss: _Uss | None = None


def _smaps_uss() -> int | None:
    try:
        with open("/proc/self/smaps_rollup", "rb", buffering=0) as file:  # noqa: PTH123
            lines = file.read(8192).split(b"\n")
    except OSError:
        return None
    return 1024 * sum(
        int(line.split()[1]) for line in lines if line.startswith((b"Private_Clean:", b"Private_Dirty:"))
    )


def _peak(info: object) -> int:
    peak = getattr(info, "peak_wset", None)  # Windows
    if peak is not None:
        return int(peak)
    import resource  # noqa: PLC0415 - POSIX alone has it

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS
