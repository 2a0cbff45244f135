"""Replaces a note's content: writes a temporary file in the same folder, then renames it to the note.

    prepare   temporary file in the same folder, fsync
    commit    a copy of the old file if it is wanted, rename, fsync of the folder

Rule: after a crash at any point, the old file or the new one is there as a whole.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from kato.core import limits, paths
from kato.core.errors import WriteFailed
from kato.notes.leftovers import Leftovers
from kato.notes.opening import (
    NOFOLLOW,
    FileState,
    failures,
    folder_of,
    lstat_at,
    open_at,
    open_old_at,
    refuse_special,
    state_of,
    unlink_at,
    write_all,
)
from kato.notes.policy import Place, WritePolicy


class Written(NamedTuple):
    """A note's state after a write, and where its former content was copied to."""

    state: FileState
    backup_path: str | None = None


class Prepared:
    """A new content of a note in a temporary file of the same folder; leaving the context without `commit` removes it."""

    def __init__(
        self,
        policy: WritePolicy,
        place: Place,
        pieces: Iterable[bytes],
        backups_dir: Path,
        now_ms: Callable[[], int],
        leftovers: Leftovers,
    ) -> None:
        self._policy = policy
        self._place = place
        self._pieces = pieces
        self._backups_dir = backups_dir
        self._now_ms = now_ms
        self._leftovers = leftovers
        self._state: FileState | None = None
        self._is_in_place = False
        self._temporary = leftovers.name(os.path.basename(place.path))

    def __enter__(self) -> "Prepared":
        with failures(self._policy, self._place.path):
            self._folder_context = folder_of(self._place, create=True)
            self._folder, self._name = self._folder_context.__enter__()
            try:
                self._leftovers.sweep(self._folder)
                self._write_temporary()
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._is_in_place:
                unlink_at(self._folder, self._temporary)
        finally:
            self._folder_context.__exit__(None, None, None)

    def _write_temporary(self) -> None:
        mode = 0o666  # less the umask, as any editor makes a file
        old = lstat_at(self._folder, self._name)
        if old is not None:
            refuse_special(old, self._place.path, self._policy)
        descriptor = open_at(
            self._folder, self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW, mode
        )
        try:
            if old is not None and hasattr(os, "fchmod"):
                # Never the right to execute: a transcript in the place of a script must not run as one.
                os.fchmod(descriptor, old.st_mode & 0o666)
            for piece in self._pieces:
                write_all(descriptor, piece)
            os.fsync(descriptor)
            self._state = state_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def commit(self, *, backup: bool) -> Written:
        """Puts the new content in its place, atomically. `backup` copies the old one first. Raises WriteFailed, PathDenied."""
        assert self._state is not None
        with failures(self._policy, self._place.path):
            copied = self._back_up() if backup else None
            if isinstance(self._folder, int):
                os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                self._is_in_place = True
                os.fsync(self._folder)
            else:
                os.replace(
                    os.path.join(self._folder, self._temporary), os.path.join(self._folder, self._name)
                )
                self._is_in_place = True
        return Written(self._state, copied)

    def _back_up(self) -> str | None:
        self._backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = open_old_at(self._folder, self._name, os.O_RDONLY | NOFOLLOW)
        try:
            refuse_special(os.fstat(source), self._place.path, self._policy)
            target, copy = self._new_backup()
            try:
                while piece := os.read(source, limits.WRITE_PIECE_BYTES):
                    write_all(copy, piece)
                os.fsync(copy)
            finally:
                os.close(copy)
            return str(target)
        finally:
            os.close(source)

    def _new_backup(self) -> tuple[Path, int]:
        """An empty file for a copy, named by the note and the moment, and its descriptor."""
        moment = datetime.fromtimestamp(self._now_ms() / 1000, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        stem, suffix = os.path.splitext(self._name)
        stem = paths.cut_to_bytes(stem, limits.TEMPORARY_NAME_BYTES)
        for number in range(limits.BACKUPS_PER_NAME_MAX):
            mark = f"-{number}" if number else ""
            target = self._backups_dir / f"{stem}.{moment}{mark}{suffix}"
            with suppress(FileExistsError):
                return target, os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW, 0o600)
        raise WriteFailed(f"{self._backups_dir} holds too many copies of this moment", self._place.path)
