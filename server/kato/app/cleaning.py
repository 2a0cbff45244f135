"""The files that `kato clean` removes in addition to the journal's sessions: those of the state folder that can hold
conversation text.

    find     lists the files of each kind, those to remove and those to keep; a dry run ends here
    remove   removes files

Rules: a file is removed when it was last changed before the moment that the user gave, or when the process that wrote it
ended. Notes belong to the user: Kato reads and removes none of them here.
"""

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from kato.app import statusfiles
from kato.core import limits
from kato.core.errors import KatoError
from kato.core.pictures import names_in
from kato.logs.descriptions import FILE_NAME as DESCRIPTIONS_NAME
from kato.storage.journal.files import SEARCH_NAME
from kato.storage.journal.reading import JournalReader
from kato.storage.pictures import FOLDER as PICTURES_FOLDER
from kato.storage.pictures import PictureStore
from kato.storage.search import Indexer
from kato.system.regular import open_regular


class File(NamedTuple):
    """A regular file: its size in bytes, when it was last changed in ms."""

    path: Path
    size: int
    changed_ms: int


class Kind(NamedTuple):
    """Files of one kind, with its singular and plural: those to remove, those to keep, and why they are kept."""

    one: str
    several: str
    going: Sequence[File]
    staying: Sequence[File] = ()
    reason: str = ""


#: The message with a picture is stored within this time after the picture, if its log's reader holds nothing back.
_NEW_PICTURE_SECONDS: Final = 60

#: How much of a backup is read to find the session of its note.
_FRONTMATTER_BYTES_MAX: Final = 64 * limits.KIB
_SESSION_LINE: Final = re.compile(r"^sessionId:[ \t]*(?P<id>\S+)[ \t]*\r?$", re.MULTILINE)
#: Files that a killed process leaves behind: an unfinished status file, note, capture or recovery, a copy made by SQLite.
_TEMPORARY: Final = (
    "servers/.*.tmp",
    ".*.kato-*.tmp",
    "recordings/**/.*.kato-*.tmp",
    "tmp????????",
    "kato-spool-*",
    "kato-capture-*/*",
    "etilqs_*",
    "journal.recovering.sqlite3*",
)


def find(
    state_dir: Path, *, older_than_ms: int, now_ms: int, is_running: statusfiles.IsRunning
) -> list[Kind]:
    """The files of each kind."""

    def by_age(
        one: str,
        several: str,
        *patterns: str,
        reason: str,
        before_ms: int = older_than_ms,
        also: Iterable[Path] = (),
    ) -> Kind:
        found = _files([*(path for pattern in patterns for path in state_dir.glob(pattern)), *also])
        going = [file for file in found if file.changed_ms < before_ms]
        return Kind(one, several, going, [file for file in found if file not in going], reason)

    ended = _files(statusfiles.ended(state_dir, is_running=is_running))
    logs = statusfiles.ended_logs(state_dir, is_running=is_running)
    unused_ms = now_ms - limits.TEMPORARY_SECONDS_MAX * 1000
    return [
        by_age("backup", "backups", "backups/**/*", reason="younger"),
        by_age(
            "damaged journal file",
            "damaged journal files",
            "journal.damaged-*",
            reason="younger; what was removed can be in them: delete them when you do not need them",
        ),
        Kind("status file of an ended server", "status files of ended servers", ended),
        by_age(
            "old log file", "old log files", "*.log", "*.log.*", "audit.*.jsonl", reason="younger", also=logs
        ),
        by_age(
            "temporary file", "temporary files", *_TEMPORARY, reason="perhaps in use", before_ms=unused_ms
        ),
    ]


def backups_of(state_dir: Path, session_ids: Collection[str]) -> list[File]:
    """The backups that hold a note of one of these sessions: its frontmatter names the session."""
    found = []
    for file in _files(state_dir.glob("backups/**/*")):
        try:
            with open(file.path, "rb", opener=open_regular) as opened:
                head = opened.read(_FRONTMATTER_BYTES_MAX).decode(errors="replace")
        except OSError:
            continue
        named = _SESSION_LINE.search(head)
        if named is not None and named["id"].strip("'\"") in session_ids:
            found.append(file)
    return found


def remove(files: Iterable[File]) -> list[str]:
    """Removes files. Returns a sentence for each that could not be removed."""
    failures = []
    for file in files:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            failures.append(f"{file.path} could not be removed: {error.strerror}")
    return failures


def remove_derived(state_dir: Path, *, now_ms: int) -> list[str]:
    """Removes what was derived from conversations after some were removed: the words in the search index and the titles of logs,
    which Kato makes again, and the pictures that no other conversation contains. Returns a sentence for each place that still holds removed words.
    """
    failures = remove(_files([state_dir / DESCRIPTIONS_NAME]))
    failures += _remove_pictures(state_dir, now_ms)
    path = state_dir / SEARCH_NAME
    if not path.exists():
        return failures
    indexer = Indexer(state_dir)
    try:
        is_empty = indexer.reset()
    except KatoError as error:
        return [*failures, f"{path} still holds removed words: {error.message}; run kato clean again"]
    finally:
        indexer.close()
    if not is_empty:
        failures.append(
            f"{path} still holds removed words: another process was reading it; run kato clean again"
        )
    return failures


def _remove_pictures(state_dir: Path, now_ms: int) -> list[str]:
    """Removes the pictures that no conversation in the journal refers to. A new one may belong to a message that is being stored."""
    if not (state_dir / PICTURES_FOLDER).exists():
        return []
    used: set[str] = set()
    try:
        reader = JournalReader(state_dir)
        try:
            for number, _ in list(reader.keys()):
                for chunk, _ in reader.chunks(number, 0, sys.maxsize):
                    used |= names_in(chunk.data)
        finally:
            reader.close()
    except KatoError as error:
        return [
            f"{state_dir / PICTURES_FOLDER} may hold removed pictures: {error.message}; run kato clean again"
        ]
    return PictureStore(state_dir).remove_unused(used, now_ms / 1000 - _NEW_PICTURE_SECONDS)


def _files(paths: Iterable[Path]) -> list[File]:
    """The regular files among the paths. Links are left out: they can lead to files of the user's."""
    found = []
    for path in sorted(set(paths)):
        try:
            status = path.lstat()
        except OSError:
            continue
        if S_ISREG(status.st_mode):
            found.append(File(path, status.st_size, status.st_mtime_ns // 1_000_000))
    return found
