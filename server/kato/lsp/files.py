"""Files that the client reports: session logs that changed, notes and folders that were renamed or deleted."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from lsprotocol import types

from kato.app.runtime import Runtime
from kato.core import paths
from kato.core.paths import NOTE_SUFFIXES
from kato.lsp import wire
from kato.lsp.open_documents import path_of
from kato.lsp.protocol import RequestId

_WINDOWS: Final = sys.platform == "win32"
_REGISTRATION: Final = "kato-session-logs"


def note_operations() -> types.FileOperationRegistrationOptions:
    """The renames and deletions that the client is to report: of notes, and of folders."""
    notes = types.FileOperationPattern(f"**/*{{{','.join(NOTE_SUFFIXES)}}}")
    folders = types.FileOperationPattern("**", matches=types.FileOperationPatternKind.Folder)
    return types.FileOperationRegistrationOptions(
        [types.FileOperationFilter(one) for one in (notes, folders)]
    )


def can_watch(client: types.ClientCapabilities) -> bool:
    """Whether the client can watch folders outside its workspace."""
    watched = None if client.workspace is None else client.workspace.did_change_watched_files
    return bool(watched and watched.dynamic_registration and watched.relative_pattern_support)


class ClientFiles:
    """See the module. `register` and `unregister` send `client/registerCapability` and its opposite."""

    def __init__(
        self,
        runtime: Runtime,
        register: Callable[[types.RegistrationParams], object],
        unregister: Callable[[types.UnregistrationParams], object],
    ) -> None:
        self._runtime = runtime
        self._register = register
        self._unregister = unregister
        self._is_registered = False

    def watch(self, folders: Sequence[str]) -> None:
        """Asks the client to report changes below these folders: additional hints, for systems that give none."""
        if self._is_registered:
            old = types.Unregistration(_REGISTRATION, types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
            self._unregister(types.UnregistrationParams([old]))
        patterns = [
            types.RelativePattern(paths.to_uri(folder, windows=_WINDOWS), "**/*.{jsonl,json}")
            for folder in folders
        ]
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(one) for one in patterns]
        )
        new = types.Registration(_REGISTRATION, types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        self._register(types.RegistrationParams([new]))
        self._is_registered = True

    def did_change(self, params: Any, request_id: RequestId | None) -> None:
        """Handles `workspace/didChangeWatchedFiles`. Ignores malformed parts, because the notification is only a hint."""
        del request_id
        changes = params.get("changes") if isinstance(params, dict) else None
        changed = changes if isinstance(changes, list) else []
        uris = [one.get("uri") for one in changed if isinstance(one, dict)]
        found = [paths.from_uri(uri, windows=_WINDOWS) for uri in uris]
        self._runtime.hint([path for path in found if path])

    def did_rename(self, params: Any, request_id: RequestId | None) -> None:
        """Handles `workspace/didRenameFiles`: recordings and destinations follow a note."""
        del request_id
        self._runtime.commit()
        for file in wire.decode(params, wire.DidRenameParams).files:
            old, new = path_of(file.old_uri), path_of(file.new_uri)
            if old is not None and new is not None:
                self._runtime.engine.move_notes(old, new)

    def did_delete(self, params: Any, request_id: RequestId | None) -> None:
        """Handles `workspace/didDeleteFiles`: the user decides about the recording of a deleted note."""
        del request_id
        self._runtime.commit()
        for file in wire.decode(params, wire.DidDeleteParams).files:
            path = path_of(file.uri)
            if path is not None:
                self._runtime.engine.delete_notes(path)
