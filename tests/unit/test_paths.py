"""Names, titles and paths as strings."""

from datetime import timezone
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kato.core.errors import CommandRefused
from kato.core.events import SessionKey
from kato.core.paths import (
    NAME_TEMPLATE,
    NOTE_SUFFIXES,
    cut_to_bytes,
    default_file_name,
    dot_name,
    folder_of,
    from_uri,
    is_note,
    notes_directory,
    parts_below,
    policy_refusal,
    resolve,
    same_name,
    says_nothing,
    shorten,
    slug,
    suffix_refusal,
    template_problem,
    title_from_filename,
    title_from_text,
    to_uri,
)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (
            "/n/conv.2026.2026-02-24_1549-memory-and-status-gca.md",
            "2026 02 24_1549 Memory and Status Gca",
        ),
        ("conv.md", "Conv"),
        ("the-art-of-war.md", "The Art of War"),
        ("a/b.c/my-note", "My Note"),
        ("C:\\notes\\plan-for-the-week.md", "Plan for the Week"),
        ("v1.2-notes.md", "2 Notes"),
        (".hidden", "Hidden"),
        ("über-uns.md", "Über Uns"),
    ],
)
def test_a_title_comes_from_the_file_name(path: str, title: str) -> None:
    assert title_from_filename(path) == title


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello  world", "Hello world"),
        ("\n\n  second line\nthird", "second line"),
        ("::capture x\nreal words", "real words"),
        ("::capture x", None),
        ("/clear", None),
        ("/model opus", None),
        ("/model opus\nreal words", "real words"),
        ("/fix the parser please", "/fix the parser please"),
        ("/tmp/x is full", "/tmp/x is full"),
        ("", None),
        ("x" * 61, "x" * 59 + "…"),
        ("word " * 20, ("word " * 11).strip() + "…"),
    ],
)
def test_a_title_comes_from_the_first_line_that_is_not_a_command(text: str, title: str | None) -> None:
    assert title_from_text(text, lambda line: line.startswith("::")) == title


@pytest.mark.parametrize("chars", [2, 5, 10, 60])
def test_a_shortened_text_is_short(chars: int) -> None:
    assert len(shorten("some words to be cut here and there", chars)) <= chars


@pytest.mark.parametrize(
    ("argument", "cwd", "path"),
    [
        ("/a/b.md", None, "/a/b.md"),
        ("b.md", "/w", "/w/b.md"),
        ("./x/b.md", "/w", "/w/x/b.md"),
        ("~/b.md", None, "/home/me/b.md"),
        ("a b.md", "/w", "/w/a b.md"),
        # Only the file system knows where these lead: the write policy resolves them.
        ("../b.md", "/w/sub", "/w/sub/../b.md"),
        ("x/../../b.md", "/w", "/w/x/../../b.md"),
        ("~/../b.md", None, "/home/me/../b.md"),
    ],
)
def test_a_path_is_absolute_from_home_or_relative_to_the_conversations_folder(
    argument: str, cwd: str | None, path: str
) -> None:
    assert resolve(argument, cwd=cwd, home="/home/me") == path


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        (r"n\b.md", r"C:\w\n\b.md"),
        ("n/b.md", r"C:\w\n\b.md"),
        (r"..\b.md", r"C:\b.md"),
        ("x/../../b.md", r"C:\b.md"),
        (r"..\..\..\b.md", r"C:\b.md"),
        (r"~\n\..\b.md", r"C:\me\b.md"),
        (r"D:\n\..\b.md", r"D:\b.md"),
        (r"\\server\share\n\..\b.md", r"\\server\share\b.md"),
    ],
)
def test_a_windows_path_is_resolved_by_letters(argument: str, path: str) -> None:
    assert resolve(argument, cwd="C:\\w", home="C:\\me", windows=True) == path


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("b.md", "no folder"),
        ("~root/b.md", "another user"),
        ("/a/b/", "folder"),
        ("/a\0b", "NUL"),
    ],
)
def test_a_path_that_cannot_be_meant_is_refused(argument: str, words: str) -> None:
    with pytest.raises(CommandRefused, match=words):
        resolve(argument, cwd=None, home="/home/me")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("What is a Monad?", "what-is-a-monad"),
        ("../../etc/passwd", "etc-passwd"),
        ("???", "note"),
        ("CON", "note-con"),
        ("Über uns", "über-uns"),
        ("日本語 のノート", "日本語-のノート"),
    ],
)
def test_a_slug_is_a_file_name_everywhere(title: str, expected: str) -> None:
    assert slug(title) == expected


def test_a_long_title_gives_a_name_that_file_systems_take() -> None:
    assert len(slug("日本" * 200).encode()) <= 80


def test_a_default_name_holds_time_title_and_session() -> None:
    name = default_file_name(
        "Implement memory management",
        when_ms=1_771_977_766_000,
        tz=ZoneInfo("America/Los_Angeles"),
        key=SessionKey("gemini", "5f0c7c1e-3b1f"),
    )
    assert name == "2026-02-24_1602-implement-memory-management-5f0c7c1e.md"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("relative.md", "absolute"),
        ("/a\0", "NUL"),
        ("/dev/null", "dev"),
        ("/proc/self/mem", "proc"),
        ("/", "name a file"),
        ("/" + "x" * 5000, "characters"),
    ],
)
def test_the_policy_refuses_by_letters_alone(path: str, words: str) -> None:
    refusal = policy_refusal(path)
    assert refusal is not None
    assert words in refusal


def test_the_policy_has_nothing_against_an_ordinary_path() -> None:
    assert policy_refusal("/home/me/notes/conv.md") is None
    assert policy_refusal("C:\\notes\\conv.md", windows=True) is None
    assert policy_refusal("C:\\notes\\NUL.md", windows=True) is not None


@pytest.mark.parametrize(
    ("uri", "posix", "windows"),
    [
        ("file:///w/a%20b", "/w/a b", None),
        ("file:///w/C%23/app", "/w/C#/app", None),
        ("file:///w/100%25", "/w/100%", None),
        ("file:///w/a%3Fb", "/w/a?b", None),
        ("file:///w/%2541", "/w/%41", None),
        ("file:///w/%E6%97%A5%E6%9C%AC", "/w/日本", None),
        ("file:///w/日本", "/w/日本", None),
        ("FILE:///w", "/w", None),
        ("file://localhost/w", "/w", None),
        ("file:///", "/", None),
        ("file:///c%3A/work", "/c:/work", "c:\\work"),
        ("file:///C:/work/C%23", "/C:/work/C#", "C:\\work\\C#"),
        ("file:///c:", "/c:", "c:\\"),
        ("file://host/share/x%20y", None, "\\\\host\\share\\x y"),
        # Without its escape, the character means itself: cut off there, a folder above would be one to write in.
        ("file:///w/C#/app", "/w/C#/app", None),
        ("file:///w/#scratch", "/w/#scratch", None),
        ("file:///w/a?b", "/w/a?b", None),
        ("file:///w/100%", "/w/100%", None),
        # What names no path.
        ("file://[bad", None, None),
        ("file://", None, None),
        ("file:/w", None, None),
        ("file:///w/%FF", None, None),
        ("file:///w/%00", None, None),
        ("untitled:Untitled-1", None, None),
        ("vscode-remote://ssh/w", None, None),
        ("/w", None, None),
        ("", None, None),
        (5, None, None),
        (None, None, None),
        ([], None, None),
    ],
)
def test_a_file_uri_is_decoded_once(uri: object, posix: str | None, windows: str | None) -> None:
    assert from_uri(uri) == posix
    assert from_uri(uri, windows=True) == windows


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1))
def test_every_folders_uri_names_that_folder(name: str) -> None:
    if name not in (".", ".."):
        assert from_uri(to_uri(f"/w/{name}/x")) == f"/w/{name}/x"


@pytest.mark.parametrize(
    ("folder", "path", "platform", "parts"),
    [
        ("/w", "/w/a/b", "linux", ["a", "b"]),
        ("/w/", "/w/a", "linux", ["a"]),
        ("/w", "/w", "linux", []),
        ("/w/", "/w", "linux", []),
        ("/", "/w/a", "linux", ["w", "a"]),
        ("/w", "/", "linux", None),
        ("/w", "/wx/a", "linux", None),
        ("/W", "/w/a", "linux", None),
        ("/w/Cafe\u0301", "/w/Caf\u00e9/a", "linux", None),
        ("/w/Cafe\u0301", "/w/Caf\u00e9/a", "darwin", ["a"]),
        ("/w/Caf\u00e9", "/w/Cafe\u0301/e\u0301", "darwin", ["e\u0301"]),
        ("C:\\Users\\u", "c:\\users\\U\\Logs\\A.jsonl", "win32", ["Logs", "A.jsonl"]),
        ("C:\\Users\\u", "c:/users/u/Logs/A.jsonl", "win32", ["Logs", "A.jsonl"]),
        ("C:\\", "c:\\a", "win32", ["a"]),
        ("C:\\Users\\u", "D:\\Users\\u\\a", "win32", None),
        ("C:\\Users\\u", "C:\\Users\\user", "win32", None),
        ("\\\\host\\share", "\\\\HOST\\share\\a", "win32", ["a"]),
    ],
)
def test_a_path_lies_below_a_folder_by_the_rules_of_its_system(
    folder: str, path: str, platform: str, parts: list[str] | None
) -> None:
    assert parts_below(folder, path, platform=platform) == parts

    assert policy_refusal("\\\\server\\share\\conv.md", windows=True) is None
    assert policy_refusal("/home/me/../notes/a:b. /CON/conv.md") is None, "rules of Windows alone"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (r"C:\notes\NUL.md", "device"),
        (r"C:\notes\nul .md", "device"),
        (r"C:\notes\com1.md", "device"),
        ("C:\\notes\\LPT\u00b9.md", "device"),
        (r"C:\notes\CONOUT$", "device"),
        (r"C:\notes\conin$.md", "device"),
        (r"C:\AUX\x.md", "device"),
        (r"C:\notes\x.md.", "ends in a dot or a blank"),
        ("C:\\notes\\x.md ", "ends in a dot or a blank"),
        (r"C:\notes.\x.md", "ends in a dot or a blank"),
        (r"C:\notes \x.md", "ends in a dot or a blank"),
        (r"C:\notes\...\x.md", "ends in a dot or a blank"),
        (r"C:\notes\x.md:stream", "forbids"),
        (r"C:\notes\x.md::$DATA", "forbids"),
        (r"C:\notes\x?.md", "forbids"),
        ("C:\\notes\\x\n.md", "forbids"),
        (r"\\?\C:\notes\x.md", "prefix"),
        (r"\\.\C:\notes\x.md", "prefix"),
        ("//?/C:/notes/x.md", "prefix"),
        (r"C:x.md", "absolute"),
        (r"\notes\x.md", "absolute"),
        ("C:\\", "name a file"),
    ],
)
def test_the_policy_refuses_what_windows_takes_for_something_else(path: str, words: str) -> None:
    refusal = policy_refusal(path, windows=True)
    assert refusal is not None
    assert words in refusal


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/n/conv", "; for example conv.md"),
        ("C:\\n\\conv", "; for example conv.md"),
        ("/n/Makefile", "; for example Makefile.md"),
        ("/n/x.json", ""),
        ("/n.md/x.sh", ""),
        ("/n/.md", ""),
    ],
)
def test_a_name_without_a_notes_suffix_is_refused_with_the_known_ones(path: str, hint: str) -> None:
    assert suffix_refusal(path) == f"the name of the file must end in .md, .markdown, .txt or .jsonl{hint}"


def test_a_suffix_counts_in_any_case() -> None:
    for suffix in NOTE_SUFFIXES:
        assert suffix_refusal(f"/n/x{suffix}") is None
        assert suffix_refusal(f"C:\\n\\x.y{suffix.upper()}") is None


def test_a_name_that_begins_with_a_dot_is_found() -> None:
    assert dot_name(("a", ".git", "x.md")) == ".git"
    assert dot_name(("a", ".x.md")) == ".x.md"
    assert dot_name(("a", "..", ".", "b.c", "x.md")) is None


def test_names_are_the_same_however_their_characters_are_composed() -> None:
    assert same_name("caf\u00e9.md", "cafe\u0301.md")
    assert not same_name("caf\u00e9.md", "cafe.md")
    assert not same_name("Note.md", "note.md")


@given(st.text(), st.integers(0, 40))
def test_a_name_is_cut_between_characters_to_so_many_bytes(name: str, count: int) -> None:
    cut = cut_to_bytes(name, count)
    assert name.startswith(cut)
    assert len(cut.encode()) <= count
    assert len(name.encode()) <= count or len(cut.encode()) > count - 4


@pytest.mark.parametrize(
    ("cwd", "folders", "folder"),
    [
        ("/work/app/src", ["/a", "/work", "/work/app"], "/work/app"),
        ("/work/other", ["/a", "/work", "/work/app"], "/work"),
        ("/work", ["/a", "/work/"], "/work/"),
        ("/workshop", ["/a", "/work"], "/a"),
        (None, ["/a", "/work"], "/a"),
        ("/work", [], None),
        ("c:\\Work\\app", ["D:\\x", "C:\\work"], "C:\\work"),
    ],
)
def test_a_session_belongs_to_the_innermost_folder_around_it(
    cwd: str | None, folders: list[str], folder: str | None
) -> None:
    assert folder_of(cwd, folders) == folder


@pytest.mark.parametrize(
    ("template", "folder", "directory"),
    [
        ("${workspaceFolder}/notes", "/work", "/work/notes"),
        ("${workspaceFolder}", "/work", "/work"),
        ("${workspaceFolder}/notes", None, None),
        ("~/vault", None, "/home/me/vault"),
        ("~", "/work", "/home/me"),
        ("/vault", "/work", "/vault"),
    ],
)
def test_the_notes_directory_is_a_path_where_a_folder_is_open_or_none_is_needed(
    template: str, folder: str | None, directory: str | None
) -> None:
    assert notes_directory(template, folder, "/home/me") == directory


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", True),
        ("A.MD", True),
        ("a.b.jsonl", True),
        ("md", False),
        (".md", False),
        (".a.md", False),
        ("a.py", False),
    ],
)
def test_what_is_named_like_a_note(name: str, expected: bool) -> None:
    assert is_note(name) is expected


KEY = SessionKey("codex", "5f0c7c1e-1111-2222-3333-444455556666")


@pytest.mark.parametrize(
    "name",
    [
        "codex.md", "5f0c7c1e.md", f"{KEY.session_id}.md", "notes.md", "2026-02-24.md", "conv.2026.2026-02-24.md",
        "chat-notes.md", "deadbeef.md", "untitled.txt", "y.md", "chat-2.md",
    ],
)  # fmt: skip
def test_a_name_that_is_not_about_the_conversation_says_nothing(name: str) -> None:
    assert says_nothing(f"/w/{name}", KEY)


@pytest.mark.parametrize(
    "name", ["fix-login.md", "memory.md", "café.md", "conv.2026.2026-02-24_1549-memory-and-status-gca.md"]
)
def test_a_name_with_words_says_something(name: str) -> None:
    assert not says_nothing(f"/w/{name}", KEY)


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        (NAME_TEMPLATE, "1970-01-01_0000-fix-the-login-5f0c7c1e.md"),
        ("${assistant} ${folder} ${title}", "codex my-project fix-the-login.md"),
        ("${branch}-${title}.txt", "fix-the-login.txt"),
        ("${title}.notes", "fix-the-login.notes.md"),
        ("${branch}", "note.md"),
    ],
)
def test_a_template_names_notes(template: str, wanted: str) -> None:
    assert template_problem(template) is None
    name = default_file_name(
        "Fix: the <login>?", when_ms=0, tz=timezone.utc, key=KEY, template=template, cwd="/w/My Project"
    )
    assert name == wanted


@pytest.mark.parametrize(
    "title", ["con", "x" * 500, "日本語のタイトル" * 40, "a/b\\c:d", "...", "", "\x00\x1f"]
)
@pytest.mark.parametrize("template", ["${title}", "${folder}${title}", "${title} ."])
def test_a_name_is_valid_on_every_platform(title: str, template: str) -> None:
    name = default_file_name(title, when_ms=0, tz=timezone.utc, key=KEY, template=template, cwd=f"/w/{title}")
    assert len(name.encode()) < 255 - 60
    assert policy_refusal(f"C:\\notes\\{name}", windows=True) is None
    assert policy_refusal(f"/notes/{name}") is None
    assert not name.startswith(".")


@pytest.mark.parametrize("template", ["notes", "${nope}", "${date}/${title}", ".${title}", "${title}?"])
def test_a_template_that_cannot_name_notes_is_refused(template: str) -> None:
    assert template_problem(template) is not None
