"""The write policy: which paths lead where, and which of them Kato may write to."""

from pathlib import Path

import orjson
import pytest

from kato.core.errors import PathDenied
from kato.notes import opening
from kato.notes.files import NoteWriter
from kato.notes.policy import AuditLog, WritePolicy, as_on_disk
from kato.notes.roots import RootUnavailable


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """`ws` with folders, links and dot folders; `outside` next to it."""
    ws, outside = tmp_path / "ws", tmp_path / "outside"
    for folder in ("notes/deep", "src", ".git/hooks", ".notes", "notes/.obsidian"):
        (ws / folder).mkdir(parents=True)
    (outside / "deep").mkdir(parents=True)
    (ws / "to_deep").symlink_to(ws / "notes" / "deep")
    (ws / "to_outside").symlink_to(outside / "deep")
    (ws / "to_git").symlink_to(ws / ".git")
    (ws / "Makefile").write_text("all:\n")
    (ws / "note.md").symlink_to(ws / "Makefile")
    return ws


def test_two_dots_mean_what_they_mean_to_the_system(workspace: Path) -> None:
    policy = WritePolicy([str(workspace)])
    for path, real in {
        "src/../notes/x.md": "notes/x.md",
        "notes/deep/../../x.md": "x.md",
        "src/../new/folder/x.md": "new/folder/x.md",
        "new/../notes/x.md": "notes/x.md",
        "new/../to_deep/x.md": "notes/deep/x.md",
        # The parent of the folder that a link leads to, not of the link.
        "to_deep/../x.md": "notes/x.md",
        "to_deep/../../src/x.md": "src/x.md",
    }.items():
        assert policy.check(f"{workspace}/{path}").path == f"{workspace}/{real}", path


@pytest.mark.parametrize(
    "path",
    [
        "../x.md",
        "src/../../x.md",
        "new/../../x.md",
        "to_deep/../../../x.md",
        "to_outside/x.md",
        "to_outside/../x.md",
        "to_outside/../../ws2/x.md",
        "new/../to_outside/x.md",
        "Makefile/../x.md",
        "../ws/../outside/x.md",
    ],
)
def test_two_dots_lead_nowhere_else(workspace: Path, path: str) -> None:
    with pytest.raises(PathDenied):
        WritePolicy([str(workspace)]).check(f"{workspace}/{path}")


@pytest.mark.parametrize("name", ["x.md", "X.MD", "x.markdown", "x.txt", "x.jsonl", "conv.2026.02.x.Md"])
def test_a_note_has_the_suffix_of_a_format_that_kato_writes(workspace: Path, name: str) -> None:
    assert WritePolicy([str(workspace)]).check(f"{workspace}/{name}").path == f"{workspace}/{name}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Makefile", "for example Makefile.md"),
        ("notes/conv", "for example conv.md"),
        ("package.json", ".md, .markdown, .txt or .jsonl"),
        (".md", ".md, .markdown, .txt or .jsonl"),
        ("x.md.", ".md, .markdown, .txt or .jsonl"),
        ("x.mdx", ".md, .markdown, .txt or .jsonl"),
        ("note.md", ".md, .markdown, .txt or .jsonl"),  # a link to the Makefile
    ],
)
@pytest.mark.parametrize("bounded", [True, False])
def test_any_other_name_is_refused_also_on_the_command_line(
    workspace: Path, name: str, words: str, *, bounded: bool
) -> None:
    policy = WritePolicy([str(workspace)] if bounded else None)
    with pytest.raises(PathDenied) as denied:
        policy.check(f"{workspace}/{name}")
    assert words in denied.value.message


@pytest.mark.parametrize("name", ["talks", "talks.md"])
def test_a_folder_is_called_a_folder_whatever_its_name(workspace: Path, name: str) -> None:
    (workspace / name).mkdir()
    with pytest.raises(PathDenied, match=rf"/{name} is a folder; name a file in it"):
        WritePolicy([str(workspace)]).check(str(workspace / name))


@pytest.mark.parametrize(
    "path",
    [
        ".git/x.md",
        ".git/hooks/x.md",
        ".git/hooks/pre-commit.md",
        ".new/x.md",
        "notes/.obsidian/x.md",
        "notes/../.git/x.md",
        "to_git/x.md",
        ".hidden.md",
    ],
)
def test_folders_whose_names_begin_with_a_dot_are_refused_unless_the_settings_name_them(
    workspace: Path, path: str
) -> None:
    with pytest.raises(PathDenied, match="begins with a dot"):
        WritePolicy([str(workspace)]).check(f"{workspace}/{path}")
    assert WritePolicy(None).check(f"{workspace}/{path}"), "a path typed on the command line"


def test_a_root_that_names_a_dot_folder_or_lies_in_one_allows_it(workspace: Path) -> None:
    policy = WritePolicy([str(workspace), str(workspace / ".notes"), str(workspace / ".git" / "hooks")])
    assert policy.check(f"{workspace}/.notes/deep/x.md")
    assert policy.check(f"{workspace}/.git/hooks/x.md")
    for denied in (".git/x.md", ".notes/.trash/x.md"):
        with pytest.raises(PathDenied, match="begins with a dot"):
            policy.check(f"{workspace}/{denied}")


@pytest.mark.parametrize("swap", ["link", "folder", "parent"])
def test_a_root_that_is_swapped_between_check_and_use_is_caught(tmp_path: Path, swap: str) -> None:
    root, outside = tmp_path / "a" / "root", tmp_path / "outside"
    for folder in (root, outside / "root"):
        folder.mkdir(parents=True)
        (folder / "x.md").write_text("kept\n")
    writer = NoteWriter(WritePolicy([str(root)]), backups_dir=tmp_path / "backups", now_ms=lambda: 0)
    place = writer.policy.check(f"{root}/x.md")
    if swap == "parent":
        root.parent.rename(tmp_path / "aside")
        root.parent.symlink_to(outside)
    else:
        root.rename(tmp_path / "aside")
        (outside / "root").rename(root) if swap == "folder" else root.symlink_to(outside / "root")
    with pytest.raises(RootUnavailable), opening.folder_of(place, create=True):
        pass
    for action in (lambda: writer.append(f"{root}/x.md", b"bad\n"), lambda: writer.state(f"{root}/x.md")):
        with pytest.raises(RootUnavailable):
            action()
    assert {path.read_text() for path in tmp_path.rglob("x.md")} == {"kept\n"}


def test_every_decision_is_in_the_audit_log_repeated_ones_once(workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    policy = WritePolicy([str(workspace)], audit=AuditLog(path))
    for _ in range(3):
        policy.check(f"{workspace}/x.md")
    denied = ["/etc/x.md", f"{workspace}/Makefile", f"{workspace}/.git/x.md", f"{workspace}/b\udcffd.md/y.md"]
    (workspace / "b\udcffd.md").write_text("a name that is not UTF-8, in the way")
    for one in denied:
        with pytest.raises(PathDenied):
            policy.check(one)
    entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(one["decision"], one["path"]) for one in entries] == [
        ("allow", f"{workspace}/x.md"),
        *(("deny", one.replace("\udcff", "?")) for one in denied),
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_is_taken_as_the_folder_spells_it(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9.md", "cafe\u0301.md"
    assert as_on_disk(f"{tmp_path}/{composed}") == f"{tmp_path}/{composed}", "it is a new one"
    (tmp_path / decomposed).touch()
    assert as_on_disk(f"{tmp_path}/{composed}") == f"{tmp_path}/{decomposed}"
    assert as_on_disk(f"{tmp_path}/{decomposed}") == f"{tmp_path}/{decomposed}"
    assert as_on_disk(f"{tmp_path}/cafe.md") == f"{tmp_path}/cafe.md"
    if not (tmp_path / composed).exists():
        (tmp_path / composed).touch()  # where both can be, each is a note of its own
        assert as_on_disk(f"{tmp_path}/{composed}") == f"{tmp_path}/{composed}"
    assert as_on_disk(f"{tmp_path}/missing/{composed}") == f"{tmp_path}/missing/{composed}"


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("ws/notes/x.md", True),
        ("ws/new/folder/x.md", True),
        ("ws/notes/../../ws/x.md", True),
        ("x.md", False),
        ("outside/x.md", False),
        ("ws/../outside/x.md", False),
        ("ws/to_outside/x.md", False),
        ("ws/.git/x.md", False),
        ("ws/notes/x.sh", False),
    ],
)
def test_the_folders_of_conversations_are_allowed_where_the_policy_includes_them(
    workspace: Path, tmp_path: Path, path: str, is_allowed: bool
) -> None:
    own = tmp_path / "own"
    policy = WritePolicy([str(own)], is_session_folder=lambda folder: folder == str(workspace))
    if not is_allowed:
        with pytest.raises(PathDenied):
            policy.check(f"{tmp_path}/{path}")
        return
    for _ in range(2):
        place = policy.check(f"{tmp_path}/{path}")
        assert place.root.path == str(workspace)
    assert policy.allows_folder(str(workspace / "notes"))
    with pytest.raises(PathDenied, match="own"):
        WritePolicy([str(own)]).check(f"{tmp_path}/{path}")


def test_a_conversation_in_a_folder_that_contains_the_home_allows_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def is_session_folder(folder: str) -> bool:
        asked.append(folder)
        return folder == str(workspace)

    policy = WritePolicy([], is_session_folder=is_session_folder)
    monkeypatch.setenv("HOME", str(workspace / "notes"))
    monkeypatch.setenv("USERPROFILE", str(workspace / "notes"))
    with pytest.raises(PathDenied, match=r"outside the allowed folders \(the folders of conversations\)"):
        policy.check(f"{workspace}/src/x.md")
    assert asked == [str(workspace / "src"), str(workspace)]
    monkeypatch.setenv("HOME", str(workspace))
    monkeypatch.setenv("USERPROFILE", str(workspace))
    assert policy.check(f"{workspace}/src/x.md").path == f"{workspace}/src/x.md"


def test_only_folders_inside_a_root_that_is_there_are_allowed(workspace: Path, tmp_path: Path) -> None:
    policy = WritePolicy([str(workspace)])
    assert policy.allows_folder(str(workspace))
    assert policy.allows_folder(str(workspace / "notes"))
    assert not policy.allows_folder(str(workspace / "to_deep"))
    assert not policy.allows_folder(str(tmp_path))
    workspace.rename(tmp_path / "aside")
    assert not policy.allows_folder(str(workspace))
