"""The write policy and the writer on a real file system."""

import json
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path

import orjson
import pytest

from kato import writer as writers
from kato.errors import PathDenied, WriteFailed
from kato.writer import AuditLog, NoteMissing, NoteWriter, WritePolicy


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
    checked = writers._real_path

    def swapped_after_check(path: str) -> str:
        real = checked(path)
        if swap == "folder" and not (root / "sub").is_symlink():
            (root / "sub").rename(tmp_path / "moved")
            (root / "sub").symlink_to(outside)
        elif swap == "file" and not (root / "sub" / "x.md").is_symlink():
            (root / "sub" / "x.md").unlink()
            (root / "sub" / "x.md").symlink_to(outside / "x.md")
        return real

    monkeypatch.setattr(writers, "_real_path", swapped_after_check)
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
    assert writer.append(str(note), b"added\n").size == len("no newline\nadded\n")
    writer.append(str(note), b"more\n")
    assert note.read_text() == "no newline\nadded\nmore\n"
    with pytest.raises(NoteMissing):
        writer.append(str(root / "missing.md"), b"x")


def test_what_stands_in_a_file_is_told(writer: NoteWriter, root: Path) -> None:
    note = root / "x.md"
    assert not writer.inspect(str(note)).exists
    body = b"body\n" * 200_000
    note.write_bytes(b"---\nid: 1\n---\n\n" + body)
    found = writer.inspect(str(note))
    assert (found.frontmatter, found.body_bytes, found.body_crc32) == ("id: 1\n", len(body), zlib.crc32(body))
    assert not found.body_is_empty
    note.write_bytes(b"---\nid: 1\n---\n \n\n")
    assert writer.inspect(str(note)).body_is_empty
    assert writer.read_range(str(note), 4, 5) == b"id: 1"


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from kato.errors import WriteFailed
from kato.writer import NoteWriter, WritePolicy
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


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs file size limits")
def test_a_full_disk_leaves_nothing_half_done(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(root)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("File too large") == 2
    assert str(root / "x.md") in done.stdout


def test_every_decision_is_in_the_audit_log_repeated_ones_once(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    policy = WritePolicy([str(root)], audit=AuditLog(path))
    for _ in range(3):
        policy.check(str(root / "x.md"))
    with pytest.raises(PathDenied):
        policy.check("/etc/x.md")
    entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(one["decision"], one["path"]) for one in entries] == [
        ("allow", str(root / "x.md")),
        ("deny", "/etc/x.md"),
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_path_of_the_command_line_is_held_to_all_but_the_roots(tmp_path: Path, root: Path) -> None:
    free = NoteWriter(WritePolicy(None), backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    put(free, tmp_path / "anywhere" / "x.md", "text")
    assert (tmp_path / "anywhere" / "x.md").read_text() == "text"
    (root / "dangling.md").symlink_to(root / "nowhere.md")
    for path in (str(root / "dangling.md"), "/dev/null", f"{root}/../x.md", str(root)):
        with pytest.raises(PathDenied):
            free.check(path)


def test_the_audit_log_is_json_lines_whatever_a_path_holds(tmp_path: Path) -> None:
    path, name = tmp_path / "audit.jsonl", "/n/a\x1b[2J\n\u202e\u2028\udcff.md"
    AuditLog(path)("deny", name, f"{name}: because")
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["path"] == name
    assert line.isascii()
    assert b"\x1b" not in line
