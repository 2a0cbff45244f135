"""Where notes go: paths as users type them, and the paths of notes for which the user named none."""

from contextlib import suppress
from pathlib import PurePath

from msgspec import Struct

from kato.core import paths
from kato.core.errors import PathDenied
from kato.core.records import SessionRecord
from kato.notes.notebook import NoteBook


class Locations(Struct, frozen=True):
    """Folders that paths of notes start from: the workspace's folders, the user's home, the state folder's recordings, and
    `notes.directory` as it was set. With `opens_session_folders`, the folder of a conversation takes the place of an open one
    where none is open.
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
        if session.destination is not None:
            return self._notebook.writer.check(session.destination)
        return self._notebook.writer.check(self.default(session, "md"))

    def resolve(self, session: SessionRecord, argument: str) -> str:
        """A path as a user typed it; a relative one starts from the conversation's folder."""
        return self._notebook.writer.check(self._absolute(session, argument))

    def look(self, session: SessionRecord, argument: str) -> str:
        """As `resolve`, while the user is still typing."""
        return self._notebook.writer.look(self._absolute(session, argument))

    def _absolute(self, session: SessionRecord, argument: str) -> str:
        locations = self.locations
        base = session.cwd or paths.folder_of(None, locations.workspace_folders)
        return paths.resolve(argument, cwd=base, home=locations.home, windows=locations.windows)

    def default(self, session: SessionRecord, suffix: str) -> str:
        """The path of a note for which the user named none."""
        locations = self.locations
        name = PurePath(self._notebook.heads.default_file_name(session)).with_suffix(f".{suffix}")
        folder = paths.folder_of(session.cwd, locations.workspace_folders)
        directory = paths.notes_directory(locations.notes_directory, folder, locations.home)
        if directory is None and locations.opens_session_folders and session.cwd is not None:
            own = paths.notes_directory(locations.notes_directory, session.cwd, locations.home)
            with suppress(PathDenied):  # the conversation's folder is gone, or contains the home folder
                return self._notebook.writer.look(str(PurePath(own or "") / name))
        return str(PurePath(directory or locations.recordings_dir) / name)
