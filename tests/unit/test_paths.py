"""Names, titles and paths as strings."""

from zoneinfo import ZoneInfo

import pytest

from kato.errors import CommandRefused
from kato.model import SessionKey
from kato.paths import (
    default_file_name,
    folder_of,
    is_note,
    notes_directory,
    policy_refusal,
    resolve,
    shorten,
    slug,
    title_from_filename,
    title_from_text,
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
def test_a_title_comes_from_the_first_line_that_is_no_command(text: str, title: str | None) -> None:
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
    ],
)
def test_a_path_is_absolute_from_home_or_relative_to_the_conversations_folder(
    argument: str, cwd: str | None, path: str
) -> None:
    assert resolve(argument, cwd=cwd, home="/home/me") == path


def test_a_windows_path_is_resolved_on_windows() -> None:
    assert resolve("n\\b.md", cwd="C:\\w", home="C:\\me", windows=True) == "C:\\w\\n\\b.md"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("b.md", "no folder"),
        ("~root/b.md", "another user"),
        ("/a/../b.md", "'..'"),
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
        ("/a/../b", "'..'"),
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
