"""The write policy and the writer on a real file system."""

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kato.app import process
from kato.core.errors import PathDenied, WriteFailed
from kato.notes import policy as policies
from kato.notes.files import NoteWriter
from kato.notes.leftovers import Leftovers
from kato.notes.opening import NoteMissing
from kato.notes.policy import AuditLog, WritePolicy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def writer(root: Path, tmp_path: Path) -> NoteWriter:
    return NoteWriter(
        WritePolicy([str(root)]), backups_dir=tmp_path / "backups", now_ms=lambda: 1_772_000_000_000
    )


def put(writer: NoteWriter, path: Path | str, text: str, *, backup: bool = False) -> str | None:
    with writer.prepare(str(path), [text.encode()]) as prepared:
        return prepared.commit(backup=backup).backup_path


def test_a_path_inside_a_root_is_allowed_also_when_its_folders_are_missing(
    writer: NoteWriter, root: Path
) -> None:
    put(writer, root / "a" / "b" / "c.md", "text")
    assert (root / "a" / "b" / "c.md").read_text() == "text"
    assert [path.name for path in root.rglob("*")] == ["a", "b", "c.md"], "no temporary file is left"


@pytest.mark.parametrize(
    "path",
    ["/etc/x.md", "{root}/../x.md", "{root}", "{root}x/y.md", "relative.md", "/dev/null", "{root}/a\0b"],
)
def test_a_path_outside_or_against_the_rules_is_denied(writer: NoteWriter, root: Path, path: str) -> None:
    with pytest.raises(PathDenied):
        writer.check(path.format(root=root))


def test_links_are_followed_only_to_files_inside(writer: NoteWriter, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.md").write_text("secret")
    (root / "real.md").write_text("old")
    (root / "inside.md").symlink_to(root / "real.md")
    (root / "out.md").symlink_to(outside / "x.md")
    (root / "folder").symlink_to(outside)
    (root / "dangling.md").symlink_to(root / "nowhere.md")
    (root / "loop.md").symlink_to(root / "loop.md")
    put(writer, root / "inside.md", "new")
    assert (root / "real.md").read_text() == "new"
    assert (root / "inside.md").is_symlink()
    for denied in ("out.md", "folder/x.md", "folder/new.md", "dangling.md", "loop.md"):
        with pytest.raises(PathDenied):
            put(writer, root / denied, "bad")
    assert (outside / "x.md").read_text() == "secret"
    assert sorted(path.name for path in outside.iterdir()) == ["x.md"]


def test_a_root_that_is_itself_a_link_is_its_target(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    policy = WritePolicy([str(tmp_path / "link")])
    assert policy.check(str(tmp_path / "link" / "x.md")).path == str(root / "x.md")
    assert policy.check(str(root / "x.md")).path == str(root / "x.md")


def test_folders_devices_and_pipes_are_denied(writer: NoteWriter, root: Path) -> None:
    (root / "folder.md").mkdir()
    os.mkfifo(root / "pipe.md")
    (root / "file.md").write_text("x")
    for name in ("folder.md", "pipe.md", "file.md/inner.md"):
        with pytest.raises(PathDenied):
            writer.check(str(root / name))


@pytest.mark.parametrize("swap", ["folder", "file"])
def test_a_swap_between_check_and_use_is_caught(
    writer: NoteWriter, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.md").write_text("secret")
    (root / "sub").mkdir()
    (root / "sub" / "x.md").write_text("mine\n")
    checked = policies._real_path

    def swapped_after_check(path: str) -> str:
        real = checked(path)
        if swap == "folder" and not (root / "sub").is_symlink():
            (root / "sub").rename(tmp_path / "moved")
            (root / "sub").symlink_to(outside)
        elif swap == "file" and not (root / "sub" / "x.md").is_symlink():
            (root / "sub" / "x.md").unlink()
            (root / "sub" / "x.md").symlink_to(outside / "x.md")
        return real

    monkeypatch.setattr(policies, "_real_path", swapped_after_check)
    with pytest.raises((PathDenied, WriteFailed)):
        writer.append(str(root / "sub" / "x.md"), b"bad\n")
    assert (outside / "x.md").read_text() == "secret"


def test_a_whole_write_is_atomic_and_leaves_the_old_file_when_it_fails(
    writer: NoteWriter, root: Path
) -> None:
    note = root / "x.md"
    note.write_text("old")

    def pieces() -> object:
        yield b"new"
        raise RuntimeError

    with pytest.raises(RuntimeError), writer.prepare(str(note), pieces()):  # type: ignore[arg-type]
        pass
    assert note.read_text() == "old"
    with writer.prepare(str(note), [b"never committed"]):
        assert note.read_text() == "old"
    assert [path.name for path in root.iterdir()] == ["x.md"]


def test_the_mode_of_a_replaced_file_is_kept(writer: NoteWriter, root: Path) -> None:
    (root / "x.md").write_text("old")
    (root / "x.md").chmod(0o640)
    put(writer, root / "x.md", "new")
    assert (root / "x.md").stat().st_mode & 0o777 == 0o640


def test_a_backup_is_a_copy_of_its_own_each_time(writer: NoteWriter, root: Path) -> None:
    note = root / "x.md"
    note.write_text("first")
    one = put(writer, note, "second", backup=True)
    two = put(writer, note, "third", backup=True)
    assert one is not None
    assert two is not None
    assert (Path(one).read_text(), Path(two).read_text(), note.read_text()) == ("first", "second", "third")
    assert Path(one).stat().st_mode & 0o777 == 0o600


def test_an_append_is_on_a_line_of_its_own(writer: NoteWriter, root: Path) -> None:
    note = root / "x.md"
    note.write_text("no newline")
    assert writer.append(str(note), b"added\n").state.size == len("no newline\nadded\n")
    writer.append(str(note), b"more\n")
    assert note.read_text() == "no newline\nadded\nmore\n"
    with pytest.raises(NoteMissing):
        writer.append(str(root / "missing.md"), b"x")


def test_inspect_shows_the_content_of_a_file(writer: NoteWriter, root: Path) -> None:
    note = root / "x.md"
    assert not writer.inspect(str(note)).exists
    body = b"body\n" * 200_000
    note.write_bytes(b"---\nid: 1\n---\n\n" + body)
    found = writer.inspect(str(note))
    assert (found.frontmatter, found.body_bytes, found.body_crc32) == ("id: 1\n", len(body), zlib.crc32(body))
    assert not found.body_is_empty
    assert writer.read_end(str(note), 7) == b"y\nbody\n"
    note.write_bytes(b"---\nid: 1\n---\n \n\n")
    assert writer.inspect(str(note)).body_is_empty
    assert writer.read_end(str(note), 1000) == note.read_bytes()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kato.core.errors import WriteFailed
from kato.notes.policy import WritePolicy
from kato.notes.files import NoteWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
root = Path(sys.argv[1])
writer = NoteWriter(WritePolicy([str(root)]), backups_dir=root / "backups", now_ms=lambda: 0)
note = root / "x.md"
note.write_text("kept\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for attempt in (lambda: writer.append(str(note), b"y" * 200_000), lambda: writer.prepare(str(note), [b"z" * 200_000]).__enter__()):
    try:
        attempt()
    except WriteFailed as error:
        print(error.message)
    assert note.read_text() == "kept\\n", "nothing is half-done"
    assert [path.name for path in root.iterdir()] == ["x.md"]
writer.append(str(note), b"fits\\n")
assert note.read_text() == "kept\\nfits\\n"
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_full_disk_leaves_nothing_half_done(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("File too large") == 2
    assert str(root / "x.md") in done.stdout


def test_a_path_of_the_command_line_is_held_to_all_but_the_roots(tmp_path: Path, root: Path) -> None:
    free = NoteWriter(WritePolicy(None), backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    put(free, tmp_path / "anywhere" / "x.md", "text")
    assert (tmp_path / "anywhere" / "x.md").read_text() == "text"
    (root / "dangling.md").symlink_to(root / "nowhere.md")
    for path in (str(root / "dangling.md"), "/dev/null", "/proc/self/x.md", str(root), f"{root}/x.sh"):
        with pytest.raises(PathDenied):
            free.check(path)


def test_the_audit_log_is_json_lines_whatever_a_path_holds(tmp_path: Path) -> None:
    path, name = tmp_path / "audit.jsonl", "/n/a\x1b[2J\n\u202e\u2028\udcff.md"
    AuditLog(path)("deny", name, f"{name}: because")
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["path"] == name.replace("\udcff", "?")
    assert line.isascii()
    assert b"\x1b" not in line


def test_a_replaced_file_never_stays_executable(writer: NoteWriter, root: Path) -> None:
    hook = root / "hook.txt"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o4755)
    put(writer, hook, "a transcript is not a script")
    assert hook.stat().st_mode & 0o7777 == 0o644


def test_a_new_file_has_the_mode_that_the_umask_gives(writer: NoteWriter, root: Path, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir(mode=0o755)
    before = os.umask(0o027)
    try:
        put(writer, root / "new" / "x.md", "text")
        put(writer, root / "new" / "x.md", "text", backup=True)
    finally:
        os.umask(before)
    assert (root / "new").stat().st_mode & 0o777 == 0o750
    assert (root / "new" / "x.md").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o755, "what Kato did not make keeps its mode"


@pytest.mark.parametrize("action", ["append", "read", "inspect", "state", "replace"])
def test_a_file_with_a_second_name_is_neither_read_nor_written(
    root: Path, tmp_path: Path, action: str
) -> None:
    (tmp_path / "secret.md").write_text("secret\n")
    note = root / "x.md"
    os.link(tmp_path / "secret.md", note)
    audit = tmp_path / "audit.jsonl"
    policy = WritePolicy([str(root)], audit=AuditLog(audit))
    writer = NoteWriter(policy, backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    actions: dict[str, Callable[[], object]] = {
        "append": lambda: writer.append(str(note), b"bad\n"),
        "read": lambda: writer.read_end(str(note), 10),
        "inspect": lambda: writer.inspect(str(note)),
        "state": lambda: writer.state(str(note)),
        "replace": lambda: put(writer, note, "bad", backup=True),
    }
    with pytest.raises(PathDenied, match="hard links"):
        actions[action]()
    assert (tmp_path / "secret.md").read_text() == "secret\n"
    assert not (tmp_path / "backups").exists()
    assert "hard links" in audit.read_text()
    (tmp_path / "secret.md").unlink()
    actions[action]()  # now the note is its only name


def test_a_second_name_does_no_harm_where_every_folder_is_allowed(tmp_path: Path, root: Path) -> None:
    free = NoteWriter(WritePolicy(None), backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    (root / "x.md").write_text("old")
    os.link(root / "x.md", tmp_path / "y.md")
    put(free, root / "x.md", "new")
    assert ((root / "x.md").read_text(), (tmp_path / "y.md").read_text()) == ("new", "old")


def test_a_pipe_that_takes_a_notes_place_holds_nothing_up(
    writer: NoteWriter, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = root / "x.md"
    note.write_text("mine\n")
    checked = policies._real_path

    def swapped_after_check(path: str) -> str:
        real = checked(path)
        if note.is_file():
            note.unlink()
            os.mkfifo(note)
        return real

    monkeypatch.setattr(policies, "_real_path", swapped_after_check)
    with pytest.raises(PathDenied, match="not a regular file"):
        writer.state(str(note))


@pytest.mark.parametrize("name", ["\u65e5" * 80 + ".md", "x" * 252 + ".md", "\u00e9" * 120 + ".markdown"])
def test_the_longest_names_are_written_and_copied(writer: NoteWriter, root: Path, name: str) -> None:
    note = root / name
    note.write_text("first")
    copied = put(writer, note, "second", backup=True)
    assert copied is not None
    assert (note.read_text(), Path(copied).read_text()) == ("second", "first")
    assert len(Path(copied).name.encode()) < 100


DYING = """
import os, sys
from pathlib import Path
from kato.app import process
from kato.notes.leftovers import Leftovers
from kato.notes.policy import WritePolicy
from kato.notes.files import NoteWriter
root = Path(sys.argv[1])
leftovers = Leftovers(process.mark(), process.is_mark_gone, lambda: 0)
writer = NoteWriter(WritePolicy([str(root)]), backups_dir=root, now_ms=lambda: 0, leftovers=leftovers)
def pieces():
    yield b"half of the conversation"
    print("written", flush=True)
    sys.stdin.read()
    yield b"the rest"
writer.prepare(str(root / "x.md"), pieces()).__enter__()
"""


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(
    root: Path, tmp_path: Path
) -> None:
    leftovers = Leftovers(process.mark(), process.is_mark_gone, lambda: 0)
    policy = WritePolicy([str(root)])
    writer = NoteWriter(policy, backups_dir=tmp_path / "backups", now_ms=lambda: 0, leftovers=leftovers)
    for name in (".x.md.tmp", ".x.md.kato-1-2.tmp", "x.md.kato-1-aaaaaaaa-aaaaaaaa-aaaaaaaa.tmp.md"):
        (root / name).write_text("the user's")
    kept = sorted(path.name for path in root.iterdir())
    command = [sys.executable, "-c", DYING, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"written\n"
        writer.sweep([str(root)])
        put(writer, root / "other.md", "text")
        assert len(list(root.iterdir())) == len(kept) + 2, "a live process writes"
        dying.kill()
    writer.sweep([str(root)])
    assert sorted(path.name for path in root.iterdir()) == [*kept[:2], "other.md", *kept[2:]]


def test_writing_a_note_removes_what_a_killed_process_left_in_its_folder(root: Path, tmp_path: Path) -> None:
    leftovers = Leftovers(process.mark(), process.is_mark_gone, lambda: 0)
    left = root / leftovers.name("x.md").replace(f"-{os.getpid()}-", f"-{2**22 + 1}-")
    left.write_text("half of a conversation")
    policy = WritePolicy([str(root)])
    writer = NoteWriter(policy, backups_dir=tmp_path / "backups", now_ms=lambda: 0, leftovers=leftovers)
    put(writer, root / "y.md", "text")
    assert [path.name for path in root.iterdir()] == ["y.md"]


def test_the_file_of_a_process_elsewhere_is_removed_once_it_is_old(root: Path) -> None:
    pid, _, started = process.mark().split("-")
    leftovers = Leftovers(f"{pid}-00000000-{started}", process.is_mark_gone, lambda: 10_000_000)
    left = root / leftovers.name("x.md")
    left.touch()
    os.utime(left, (9_000, 9_000))
    leftovers.sweep(str(root))
    assert left.exists()
    os.utime(left, (6_000, 6_000))
    leftovers.sweep(str(root))
    assert not left.exists()
