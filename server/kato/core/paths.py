"""File names, titles and paths as strings: no file system here.

Rule: a name that Kato makes is valid on every platform, also where the note may be synchronised to.
"""

import ntpath
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Final
from urllib.parse import unquote

from kato.core import limits
from kato.core.errors import CommandRefused
from kato.core.events import SessionKey
from kato.core.moments import in_zone, utc

#: Words that stay in lower case in a title, unless they come first.
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
#: The endings of the files that Kato writes: notes, and events one a line.
NOTE_SUFFIXES: Final = (".md", ".markdown", ".txt", ".jsonl")
#: The ending of a page, which `kato capture` writes; recordings do not.
PAGE_SUFFIXES: Final = (".html",)
#: Names that Windows reserves for devices, with any extension.
_DEVICES: Final = frozenset(
    [
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        "clock$",
        *(f"{name}{n}" for name in ("com", "lpt") for n in "0123456789¹²³"),
    ]
)
_SLUG_BYTES_MAX: Final = 80
#: File systems allow 255 bytes; the rest is for a suffix and for the names of temporary files and backups.
_NAME_BYTES_MAX: Final = 160
_SLASH_COMMAND: Final = re.compile(r"/[A-Za-z][\w:.-]*(?: \S+)?$")
_DRIVE: Final = re.compile(r"^[A-Za-z]:")
_WORKSPACE_FOLDER: Final = "${workspaceFolder}"
_UUID_LIKE: Final = re.compile(r"[^0-9A-Za-z]")
_LINE_END: Final = re.compile(r"[\r\n]")


def resolve(argument: str, *, cwd: str | None, home: str, windows: bool = False) -> str:
    """The absolute path of a command's argument, which is absolute, from the home folder (`~`), or relative to `cwd`.

    `..` stays on POSIX, where it means the parent of the folder that a link leads to: the write policy resolves it.
    Windows resolves it by the text, and so does this function.

    Raises CommandRefused for another user's home, a relative path without a `cwd`, and a folder.
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
    if argument.endswith(("/", "\\") if windows else "/"):
        raise CommandRefused(f"{argument} is a folder; name a file, for example {argument}conversation.md")
    return ntpath.normpath(str(path)) if windows else str(path)


def from_uri(uri: object, *, windows: bool = False) -> str | None:
    """The path that a `file:` URI names on this system; None for everything else. It is decoded once.

    A `?` or `#` without its escape is part of the path, because files have no queries. If the path were cut there, it would name
    a folder above, and Kato would be allowed to write to that one.
    """
    found = _FILE_URI.match(uri) if isinstance(uri, str) else None
    if found is None:
        return None
    host = found["host"].lower()
    try:
        path = unquote(found["path"], errors="strict")
    except UnicodeDecodeError:
        return None  # the name is not valid text
    if "\0" in path:
        return None
    if not windows:
        return path if host in ("", "localhost") else None
    if host not in ("", "localhost"):
        return f"\\\\{host}{path}".replace("/", "\\")
    if _URI_DRIVE.match(path) is None:
        return None
    return path[1:].replace("/", "\\") + ("\\" if len(path) == len("/c:") else "")


_FILE_URI: Final = re.compile(r"file://(?P<host>[^/\\?#]*)(?P<path>/.*)", re.IGNORECASE | re.DOTALL)
_URI_DRIVE: Final = re.compile(r"/[A-Za-z]:(/|$)")


def to_uri(path: str, *, windows: bool = False) -> str:
    """The `file:` URI of an absolute path."""
    return (PureWindowsPath if windows else PurePosixPath)(path).as_uri()


def comparable(path: str, platform: str) -> str:
    """A path in the form in which its system compares paths: Windows ignores case and the kind of slash, macOS the composition of
    accented letters. For comparisons only, never for opening.
    """
    if platform == "win32":
        return path.replace("/", "\\").lower()
    return unicodedata.normalize("NFC", path) if platform == "darwin" else path


def parts_below(folder: str, path: str, *, platform: str) -> list[str] | None:
    """The names on the way from a folder to a path, as the path spells them; None if the path is not in the folder."""
    separator = "\\" if platform == "win32" else "/"
    outer, inner = comparable(folder, platform).rstrip(separator), comparable(path, platform)
    if inner.rstrip(separator) == outer:
        return []
    if not inner.startswith(outer + separator):
        return None
    names = (path.replace("/", "\\") if platform == "win32" else path).split(separator)
    return names[outer.count(separator) + 1 :]


def folder_of(cwd: str | None, folders: Sequence[str]) -> str | None:
    """The innermost of these folders that contains a session's `cwd`; the first one if none does."""
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


#: Names of files that do not describe a conversation.
_EMPTY_WORDS: Final = frozenset(
    "ai agent answer capture chat claude codex conv conversation copilot export gemini log md new note notes out output record"
    " recording session talk test tmp transcript untitled".split()
)
_ID_LIKE: Final = re.compile(
    r"[0-9a-f]{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\d._:T-]+", re.IGNORECASE
)


def says_nothing(path: str, key: SessionKey) -> bool:
    """True if a file's name is not about its conversation: the assistant's name, an id, a date, a word such as `notes`."""
    stem = re.split(r"[/\\]", path)[-1].rpartition(".")[0].lower()
    words = [
        word for word in re.split(r"[^0-9a-z\x80-\U0010ffff-]+|(?<![0-9a-f])-|-(?![0-9a-f])", stem) if word
    ]
    known = {key.provider.lower(), key.session_id.lower(), _UUID_LIKE.sub("", key.session_id)[:8].lower()}
    return all(
        len(word) == 1 or word in known or word in _EMPTY_WORDS or _ID_LIKE.fullmatch(word) for word in words
    )


#: A line that is not blank, cut to the length that a title may need.
_TITLE_LINE: Final = re.compile(r"\S[^\r\n]{0,1023}")


def title_from_text(content: str, is_command_line: Callable[[str], bool]) -> str | None:
    """The first line of a message that is neither blank nor a command, cut to 60 characters; None if the first lines have none.
    Skips slash commands of the assistant with at most one word (`/clear`, `/model opus`), which describe nothing.
    """
    found = _TITLE_LINE.search(content)
    for _ in range(limits.TITLE_LINES_MAX):
        if found is None:
            break
        text = " ".join(found[0].split())
        if not is_command_line(found[0]) and not _SLASH_COMMAND.match(text):
            return shorten(text, limits.TITLE_CHARS_MAX)
        line_end = _LINE_END.search(content, found.end())
        found = None if line_end is None else _TITLE_LINE.search(content, line_end.end())
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


#: The placeholders of `notes.fileName`.
NAME_TOKENS: Final = ("date", "time", "title", "assistant", "folder", "id", "branch")
NAME_TEMPLATE: Final = "${date}_${time}-${title}-${id}"
_TOKEN: Final = re.compile(r"\$\{(\w+)\}")


def template_problem(template: str) -> str | None:
    """Why this is not a template for file names; None if it is one."""
    unknown = [name for name in _TOKEN.findall(template) if name not in NAME_TOKENS]
    if unknown:
        return f"${{{unknown[0]}}} is not a token; the tokens are {', '.join(f'${{{name}}}' for name in NAME_TOKENS)}"
    literal = _TOKEN.sub("x", template)
    if not _TOKEN.search(template):
        return "the template needs a token, or all notes have one name; for example " + NAME_TEMPLATE
    if re.search(r'[/\\<>:"|?*\x00-\x1f]', literal) or literal.startswith("."):
        return 'a file name does not begin with a dot and holds none of / \\ < > : " | ? *'
    return None


def default_file_name(
    title: str | None,
    *,
    when_ms: int,
    tz: tzinfo,
    key: SessionKey,
    template: str = NAME_TEMPLATE,
    cwd: str | None = None,
    branch: str | None = None,
) -> str:
    """`2026-02-24_1609-implement-memory-management-5f0c7c1e.md`: by default time, title, the start of the session's id.
    The name is valid on every platform, whatever the template and the conversation hold.
    """
    at = in_zone(utc(when_ms), tz)
    values = {
        "date": f"{at.year:04}-{at.month:02}-{at.day:02}",  # strftime does not pad years everywhere
        "time": f"{at.hour:02}{at.minute:02}",
        "title": slug(title or key.provider),
        "assistant": slug(key.provider),
        "folder": slug(re.split(r"[/\\]", cwd.rstrip("/\\"))[-1]) if cwd else "",
        "id": _UUID_LIKE.sub("", key.session_id)[:8].lower() or "session",
        "branch": slug(branch) if branch else "",
    }
    name = _TOKEN.sub(lambda found: values.get(found[1], ""), template)
    stem, dot, suffix = name.rpartition(".")
    if not dot or f".{suffix.lower()}" not in NOTE_SUFFIXES:
        stem, suffix = name, "md"
    stem = re.sub(r"([-_. ])[-_. ]*(?=[-_. ])", "", stem).strip(
        "-_. "
    )  # the separators around a missing value
    stem = cut_to_bytes(stem, _NAME_BYTES_MAX).rstrip(". ") or "note"
    return f"note-{stem}.{suffix}" if stem.partition(".")[0].lower() in _DEVICES else f"{stem}.{suffix}"


def slug(text: str) -> str:
    """A text as a part of a file name: letters and digits of any script in lower case, joined by hyphens. Never empty, never the
    name of a device.
    """
    plain = unicodedata.normalize("NFC", text).lower()
    words = "".join(char if char.isalnum() else "-" for char in plain)
    short = cut_to_bytes("-".join(filter(None, words.split("-"))), _SLUG_BYTES_MAX).strip("-")
    if not short or short in _DEVICES:
        return f"note-{short}".strip("-")
    return short


def is_at_or_in(path: str, place: str) -> bool:
    """Whether a path is that of a file or folder, or lies in that folder."""
    if _DRIVE.match(place):
        path, place = path.lower(), place.lower()
    return path == place or path.startswith((f"{place}/", f"{place}\\"))


def is_note(name: str) -> bool:
    """Whether a file's name is that of a note: with a note's suffix, and not hidden."""
    return not name.startswith(".") and name.lower().endswith(NOTE_SUFFIXES)


def policy_refusal(path: str, *, windows: bool = False) -> str | None:
    """The reason why Kato never writes to this path, judged by its text alone; None if there is no such reason."""
    pure: PurePath = PureWindowsPath(path) if windows else PurePosixPath(path)
    if "\0" in path:
        return "a path must not contain NUL"
    if len(path) > limits.PATH_CHARS_MAX:
        return f"a path has at most {limits.PATH_CHARS_MAX} characters"
    if windows and path.startswith(("\\\\?\\", "\\\\.\\", "//?/", "//./")):
        return "a path must not begin with a device prefix such as \\\\?\\"
    if not pure.is_absolute():
        return "the path must be absolute"
    if not pure.name:
        return "the path must name a file"
    if windows:
        return next(filter(None, map(_windows_name_refusal, pure.parts[1:])), None)
    if pure.parts[:2] in (("/", "dev"), ("/", "proc"), ("/", "sys")):
        return f"{pure.parts[1]} holds no notes"
    return None


def _windows_name_refusal(name: str) -> str | None:
    """The reason why Windows would change or reserve this name: dots and spaces at its end, a colon (a stream), a device's name."""
    if name == "..":
        return None
    if name.partition(".")[0].strip().lower() in _DEVICES:
        return f"{name} is the name of a device"
    if name[-1] in ". ":
        return f"the name {name!r} ends in a dot or a blank, which Windows drops"
    if any(char in '<>:"|?*' or char < " " for char in name):
        return f"the name {name!r} contains a character that Windows forbids in names"
    return None


def suffix_refusal(path: str, suffixes: Sequence[str] = NOTE_SUFFIXES) -> str | None:
    """The reason why Kato does not write files with this name; None if its suffix is one of these, in any case."""
    name = re.split(r"[/\\]", path)[-1]
    stem, dot, suffix = name.rpartition(".")
    if stem and (dot + suffix).lower() in suffixes:
        return None
    known = ", ".join(suffixes[:-1]) + " or " + suffixes[-1]
    hint = "" if dot else f"; for example {name}{suffixes[0]}"
    return f"the name of the file must end in {known}{hint}"


def dot_name(parts: Sequence[str]) -> str | None:
    """The first of these names that begins with a dot, as programs name their own folders; None if none does."""
    return next((part for part in parts if part.startswith(".") and part not in (".", "..")), None)


def same_name(one: str, other: str) -> bool:
    """Whether two names differ only in the composition of characters (`é` as one code point or as two). They are the same for
    people, and on some file systems.
    """
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def cut_to_bytes(name: str, count: int) -> str:
    """The longest beginning of a text with at most `count` bytes of UTF-8, cut between characters. File systems count bytes."""
    return name.encode(errors="surrogateescape")[:count].decode(errors="ignore")
