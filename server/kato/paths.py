"""File names, titles and paths as strings: no file system here.

Rule: a name that Kato makes is valid on every platform, also where the note may be synchronised to.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Final

from kato import limits
from kato.errors import CommandRefused
from kato.model import SessionKey, utc

#: Words that stay small in a title, unless they come first.
_SMALL_WORDS: Final = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "but",
        "by",
        "for",
        "from",
        "in",
        "into",
        "nor",
        "of",
        "off",
        "on",
        "onto",
        "or",
        "over",
        "per",
        "so",
        "the",
        "to",
        "up",
        "via",
        "vs",
        "with",
        "yet",
    ]
)
#: Names that Windows keeps for devices, with any extension.
_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))]
)
_SLUG_BYTES_MAX: Final = 80
_SLASH_COMMAND: Final = re.compile(r"/[A-Za-z][\w:.-]*(?: \S+)?$")
_DRIVE: Final = re.compile(r"^[A-Za-z]:")
_WORKSPACE_FOLDER: Final = "${workspaceFolder}"
_UUID_LIKE: Final = re.compile(r"[^0-9A-Za-z]")


def resolve(argument: str, *, cwd: str | None, home: str, windows: bool = False) -> str:
    """The absolute path that a command's argument means: absolute, from the home folder (`~`), or relative to `cwd`.

    Raises CommandRefused for what cannot be meant: another user's home, `..`, a relative path without a folder.
    """
    flavour: type[PurePath] = PureWindowsPath if windows else PurePosixPath
    if "\0" in argument or len(argument) > limits.PATH_CHARS_MAX:
        raise CommandRefused(f"a path has at most {limits.PATH_CHARS_MAX} characters and no NUL")
    path = flavour(argument)
    if path.parts[:1] == ("~",):
        path = flavour(home, *path.parts[1:])
    elif argument.startswith("~"):
        raise CommandRefused(
            f"{argument}: the home folder of another user is not looked up; write the whole path"
        )
    if not path.is_absolute():
        if cwd is None:
            raise CommandRefused(
                f"{argument} is relative, and the conversation has no folder; write the whole path"
            )
        path = flavour(cwd, path)
    if ".." in path.parts:
        raise CommandRefused(f"{argument}: a path must not contain '..'")
    if argument.endswith(("/", "\\") if windows else "/"):
        raise CommandRefused(f"{argument} is a folder; name a file, for example {argument}conversation.md")
    return str(path)


def folder_of(cwd: str | None, folders: Sequence[str]) -> str | None:
    """The innermost of these folders that a session's `cwd` lies in; the first one if it lies in none."""
    around = [folder for folder in folders if cwd is not None and is_at_or_in(cwd, folder.rstrip("/\\"))]
    return max(around, key=len) if around else next(iter(folders), None)


def notes_directory(template: str, folder: str | None, home: str) -> str | None:
    """`notes.directory` as a path; None where it needs a workspace folder and there is none."""
    if template.startswith(_WORKSPACE_FOLDER):
        return None if folder is None else folder + template[len(_WORKSPACE_FOLDER) :]
    return home + template[1:] if template.startswith("~") else template


def title_from_filename(path: str) -> str:
    """`conv.2026.2026-02-24_1549-memory-and-status-gca.md` gives `2026 02 24_1549 Memory and Status Gca`: the last
    dot-separated part, hyphens to spaces, words capitalised except small ones.
    """
    name = re.split(r"[/\\]", path)[-1]
    stem, dot, suffix = name.rpartition(".")
    if not stem or not dot or len(suffix) > 10:
        stem = name
    words = stem.rpartition(".")[2].replace("-", " ").split()
    return " ".join(
        word if index and word in _SMALL_WORDS else word[:1].upper() + word[1:]
        for index, word in enumerate(words)
    )


def title_from_text(content: str, is_command_line: Callable[[str], bool]) -> str | None:
    """The first line of a message that is neither blank nor a command, 60 characters; None if there is none. A slash
    command of the assistant with at most one word (`/clear`, `/model opus`) says nothing of what follows.
    """
    for line in content.split("\n"):
        text = " ".join(line.split())
        if text and not is_command_line(line) and not _SLASH_COMMAND.match(text):
            return shorten(text, limits.TITLE_CHARS_MAX)
    return None


def shorten(text: str, chars: int) -> str:
    """At most `chars` characters, cut between words where that leaves half of them, with an ellipsis."""
    if len(text) <= chars:
        return text
    cut = text[: chars - 1]
    space = cut.rfind(" ")
    if space >= chars // 2:
        cut = cut[:space]
    return cut.rstrip(" ,;:.-") + "…"


def default_file_name(title: str | None, *, when_ms: int, tz: tzinfo, key: SessionKey) -> str:
    """`2026-02-24_1609-implement-memory-management-5f0c7c1e.md`: time, title, the start of the session's id."""
    when = utc(when_ms).astimezone(tz).strftime("%Y-%m-%d_%H%M")
    mark = _UUID_LIKE.sub("", key.session_id)[:8].lower() or "session"
    return f"{when}-{slug(title or key.provider)}-{mark}.md"


def slug(text: str) -> str:
    """Letters and digits of any script in lower case, hyphens between them; never empty, never a device's name."""
    plain = unicodedata.normalize("NFC", text).lower()
    words = "".join(char if char.isalnum() else "-" for char in plain)
    short = (
        "-".join(filter(None, words.split("-"))).encode()[:_SLUG_BYTES_MAX].decode(errors="ignore").strip("-")
    )
    if not short or short in _DEVICES:
        return f"note-{short}".strip("-")
    return short


def is_at_or_in(path: str, place: str) -> bool:
    """Whether a path is that of a file or folder, or lies in that folder."""
    if _DRIVE.match(place):
        path, place = path.lower(), place.lower()
    return path == place or path.startswith((f"{place}/", f"{place}\\"))


#: The suffixes of notes: whether such a file is renamed or deleted in an editor is Kato's business.
NOTE_SUFFIXES: Final = ("md", "markdown", "mdx", "mdown", "txt", "jsonl")


def is_note(name: str) -> bool:
    """Whether a file's name is that of a note: with a note's suffix, and not hidden."""
    return not name.startswith(".") and name.rpartition(".")[2].lower() in NOTE_SUFFIXES and "." in name


def policy_refusal(path: str, *, windows: bool = False) -> str | None:
    """Why this path can never be written to, judged by its letters alone; None if they say nothing against it."""
    pure: PurePath = PureWindowsPath(path) if windows else PurePosixPath(path)
    if "\0" in path:
        return "a path must not contain NUL"
    if len(path) > limits.PATH_CHARS_MAX:
        return f"a path has at most {limits.PATH_CHARS_MAX} characters"
    if not pure.is_absolute():
        return "the path must be absolute"
    if ".." in pure.parts:
        return "a path must not contain '..'"
    if not pure.name:
        return "the path must name a file"
    if windows and any(part.split(".")[0].strip().lower() in _DEVICES for part in pure.parts[1:]):
        return "the path names a device"
    if not windows and pure.parts[:2] in (("/", "dev"), ("/", "proc"), ("/", "sys")):
        return f"{pure.parts[1]} holds no notes"
    return None
