"""Where notes go: paths as users type them, and the paths of notes for which the user named none."""

from pathlib import PurePath

from msgspec import Struct

from kato.core import paths
from kato.core.errors import PathDenied
from kato.core.records import SessionRecord
from kato.notes.notebook import NoteBook


class Locations(Struct, frozen=True):
    """Folders that paths of notes start from: the workspace's folders, the user's home, the state folder's recordings, and
    `notes.directory` as it was set. With `opens_session_folders` no workspace is open, and Kato treats the folder of each
    conversation as an open one.
    """

    workspace_folders: tuple[str, ...]
    home: str
    recordings_dir: str
    notes_directory: str
    windows: bool = False
    opens_session_folders: bool = False


class Destinations:
    """Resolves the paths of notes. Each method raises PathDenied for a path that Kato may not write, except `default`."""

    def __init__(self, locations: Locations, notebook: NoteBook) -> None:
        self.locations = locations
        self._notebook = notebook

    def of(self, session: SessionRecord, argument: str | None) -> str:
        """The note of a command: the path that it names, else the session's destination, else the default."""
        if argument is not None:
            return self.resolve(session, argument)
        self._open_folder_of(session)
        if session.destination is not None:
            return self._notebook.writer.check(session.destination)
        try:
            return self._notebook.writer.check(self.default(session, "md"))
        except PathDenied:
            if not self.locations.opens_session_folders:
                raise
        # The conversation's folder is not there any more, or contains the home folder.
        return self._notebook.writer.check(self._named(session, "md", self.locations.recordings_dir))

    def resolve(self, session: SessionRecord, argument: str) -> str:
        """A path as a user typed it; a relative one starts from the conversation's folder."""
        self._open_folder_of(session)
        return self._notebook.writer.check(self._absolute(session, argument))

    def look(self, session: SessionRecord, argument: str) -> str:
        """As `resolve`, while the user is still typing."""
        self._open_folder_of(session)
        return self._notebook.writer.look(self._absolute(session, argument))

    def _open_folder_of(self, session: SessionRecord) -> None:
        """Allows the session's folder, where sessions' folders count as open. The ledger may not have the session yet."""
        if self.locations.opens_session_folders and session.cwd is not None:
            self._notebook.writer.policy.open_session_folder(session.cwd)

    def _absolute(self, session: SessionRecord, argument: str) -> str:
        locations = self.locations
        base = session.cwd or paths.folder_of(None, locations.workspace_folders)
        return paths.resolve(argument, cwd=base, home=locations.home, windows=locations.windows)

    def default(self, session: SessionRecord, suffix: str) -> str:
        """The path of a note for which the user named none."""
        locations = self.locations
        folder = paths.folder_of(session.cwd, locations.workspace_folders)
        if locations.opens_session_folders:
            folder = session.cwd
        directory = paths.notes_directory(locations.notes_directory, folder, locations.home)
        return self._named(session, suffix, directory or locations.recordings_dir)

    def _named(self, session: SessionRecord, suffix: str, directory: str) -> str:
        name = PurePath(self._notebook.heads.default_file_name(session)).with_suffix(f".{suffix}")
        return str(PurePath(directory) / name)
