"""A pipe, a socket, a device or a folder where a file should be keeps nothing waiting."""

import os
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from builders import request, user
from conftest import Start
from kato.assistants.registry import ASSISTANTS
from kato.core.errors import KatoError, PathDenied
from kato.core.paths import NOTE_SUFFIXES
from kato.logs import discovery, listing
from kato.logs.descriptions import Description
from kato.logs.discovery import Found
from kato.logs.tail import Tail, _companions
from kato.logs.unreadable import UnreadablePaths
from kato.notes.files import NoteWriter
from kato.notes.policy import AuditLog, Place, WritePolicy
from kato.system import zstd
from kato.system.regular import NotRegular, open_regular, read_regular
from logs import ClaudeLog, CodexLog, wait_for
from server.test_session_logs import holds, launch

pytestmark = pytest.mark.usefixtures("deadline")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def named_socket(path: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    before = os.getcwd()  # noqa: PTH109 - a socket's whole path may have 107 bytes
    os.chdir(path.parent)
    try:
        made.bind(path.name)
    finally:
        os.chdir(before)
        made.close()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def open_descriptors() -> int:
    return psutil.Process().num_fds()


Make = Callable[[Path], None]
OTHERS = [pipe, link_to_a_pipe, named_socket, device, folder]


@pytest.mark.parametrize(
    "flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_WRONLY | os.O_CREAT]
)
@pytest.mark.parametrize("make", OTHERS)
def test_only_a_regular_file_is_opened(tmp_path: Path, make: Make, flags: int) -> None:
    make(tmp_path / "x")
    before = open_descriptors()
    with pytest.raises(OSError):
        open_regular(tmp_path / "x", flags)
    assert open_descriptors() == before, "no descriptor is left open"


def test_a_pipe_that_another_process_writes_to_is_not_opened_either(tmp_path: Path) -> None:
    pipe(tmp_path / "x")
    other_end = os.open(tmp_path / "x", os.O_RDWR)
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        with pytest.raises(NotRegular):
            open_regular(tmp_path / "x", flags)
    os.close(other_end)


def test_a_regular_file_is_opened_as_by_the_system(tmp_path: Path) -> None:
    path = tmp_path / "x"
    descriptor = open_regular(path, os.O_WRONLY | os.O_CREAT)
    assert os.get_blocking(descriptor)
    assert not os.get_inheritable(descriptor)
    os.write(descriptor, b"text")
    os.close(descriptor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_regular(path, 3) == b"tex"
    with open(path, "rb", opener=open_regular) as file:
        assert file.read() == b"text"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "missing", 1)


def found(path: Path, root: Path, provider: str = "claude") -> Found:
    """What a scan saw before the file was replaced."""
    (assistant,) = [one for one in ASSISTANTS if one.name == provider]
    (one,) = discovery.scan(discovery.Root(assistant, str(root)))
    assert one.path == str(path)
    return one


PLACE = discovery.surroundings({})


@pytest.mark.parametrize("make", OTHERS)
def test_a_log_that_was_replaced_since_the_scan_is_an_error(tmp_path: Path, make: Make) -> None:
    log = ClaudeLog(tmp_path, tmp_path)
    log.write(log.user("hi"))
    seen = found(log.path, tmp_path / ".claude" / "projects")
    tail = Tail(seen, PLACE)
    tail.read()
    log.path.unlink()
    make(log.path)
    with pytest.raises(OSError):
        tail.read()
    with pytest.raises(OSError):
        listing._with_end(Description(tail.reader.info), seen, PLACE)


@pytest.mark.parametrize("make", OTHERS)
def test_a_compressed_log_that_was_replaced_is_an_error(tmp_path: Path, make: Make) -> None:
    log = CodexLog(tmp_path, tmp_path)
    log.write(*log.start, *log.user("hi"))
    packed = log.path.with_name(log.path.name + ".zst")
    packed.write_bytes(zstd.library().compress(log.path.read_bytes()))
    log.path.unlink()
    tail = Tail(found(packed, tmp_path / ".codex" / "sessions", "codex"), PLACE)
    packed.unlink()
    make(packed)
    with pytest.raises(OSError):
        tail.read()


@pytest.mark.parametrize("make", OTHERS)
def test_a_companion_that_is_not_a_regular_file_is_skipped(tmp_path: Path, make: Make) -> None:
    parent = ClaudeLog(tmp_path, tmp_path)
    agents = parent.path.with_suffix("") / "subagents"
    agents.mkdir(parents=True)
    make(agents / "agent-x.meta.json")
    agent = ClaudeLog(tmp_path, tmp_path)
    agent.path = agents / "agent-x.jsonl"
    agent.write(agent.user("hi", isSidechain=True))
    seen = found(agent.path, tmp_path / ".claude" / "projects")
    assert seen.log.companions
    assert _companions(seen, UnreadablePaths()) == {}
    assert Tail(seen, PLACE).read().result.events


class Swapped(WritePolicy):
    """A path that is another thing once it was checked."""

    def __init__(self, root: Path, make: Make) -> None:
        super().__init__([str(root)])
        self._make = make

    def check(self, path: str, suffixes: Sequence[str] = NOTE_SUFFIXES) -> Place:
        place = super().check(path, suffixes)
        Path(place.path).unlink()
        self._make(Path(place.path))
        return place


@pytest.mark.parametrize("make", [pipe, named_socket, folder])
@pytest.mark.parametrize(
    "act",
    [
        lambda writer, path: writer.state(path),
        lambda writer, path: writer.inspect(path),
        lambda writer, path: writer.read_end(path, 10),
        lambda writer, path: writer.append(path, b"more"),
    ],
    ids=["state", "inspect", "read", "append"],
)
def test_a_note_that_was_replaced_since_the_check_is_denied(
    tmp_path: Path, make: Make, act: Callable[[NoteWriter, str], Any]
) -> None:
    root = tmp_path / "notes"
    root.mkdir()
    (root / "n.md").write_text("text")
    writer = NoteWriter(Swapped(root, make), backups_dir=tmp_path, now_ms=lambda: 0)
    with pytest.raises(KatoError):
        act(writer, str(root / "n.md"))


def test_a_note_that_is_replaced_before_its_copy_is_made_is_denied(tmp_path: Path) -> None:
    root = tmp_path / "notes"
    root.mkdir()
    note = root / "n.md"
    note.write_text("text")
    writer = NoteWriter(WritePolicy([str(root)]), backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    with writer.prepare(str(note), [b"new"]) as prepared:
        note.unlink()
        pipe(note)
        with pytest.raises(PathDenied):
            prepared.commit(backup=True)


def test_an_audit_log_that_is_a_pipe_fails_no_command(tmp_path: Path) -> None:
    pipe(tmp_path / "audit.jsonl")
    root = tmp_path / "notes"
    root.mkdir()
    policy = WritePolicy([str(root)], audit=AuditLog(tmp_path / "audit.jsonl"))
    assert policy.check(str(root / "n.md")).path == str(root / "n.md")


def test_a_server_goes_on_with_pipes_in_every_place(
    start: Start, tmp_path: Path, environment: dict[str, str]
) -> None:
    home, work = Path(environment["HOME"]), tmp_path / "work"
    work.mkdir()
    log = ClaudeLog(home, work)
    log.write(log.user("hello\n::capture notes/n.md"))
    agents = log.path.with_suffix("") / "subagents"
    agents.mkdir(parents=True)
    pipe(agents / "agent-x.meta.json")
    agent = ClaudeLog(home, work)
    agent.path = agents / "agent-x.jsonl"
    agent.write(agent.user("inner", isSidechain=True))
    state = tmp_path / "state"
    (state / "servers").mkdir(parents=True)
    pipe(state / "servers" / "1.json")
    pipe(state / "audit.jsonl")
    for name in (".project_root", "projects.json"):
        (home / ".gemini").mkdir(exist_ok=True)
        pipe(home / ".gemini" / name)
    client = launch(start, tmp_path, work)
    note = work / "notes" / "n.md"
    log.write(log.user("again\n::capture notes/n.md"))
    wait_for(lambda: holds(note, "again"), "the note")
    log.path.unlink()
    pipe(log.path)
    note.unlink()
    pipe(note)
    other = ClaudeLog(home, work)
    other.write(other.user("other\n::capture notes/o.md"))
    wait_for(lambda: holds(work / "notes" / "o.md", "other"), "the other note")
    client.request("kato/appendEvents", request([user("x")]))
    assert client.close() == 0
