"""The settings and folders of the client: at the start, and when they change.

    explicit = command line, then initializationOptions, then the last didChangeConfiguration
    folders  = the workspace's folders, or the root when there is none

Rule: settings that are invalid at the start end the process. Later, the settings in force stay and the user is notified.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from kato.app import config
from kato.app.runtime import Runtime
from kato.assistants import registry
from kato.core import layers, paths, settings
from kato.core.errors import SettingsInvalid
from kato.core.notices import Notice
from kato.core.setting_rules import is_absolute
from kato.core.settings import Settings
from kato.lsp.protocol import RequestId

_WINDOWS: Final = sys.platform == "win32"


class Configuration:
    """See the module. `folders` gives the workspace's folders as URIs, None when the client opened none; `put_in_force` is
    called when settings or folders changed; `pull` asks the client for its settings, and calls back with them.
    """

    def __init__(
        self,
        runtime: Runtime,
        environment: Mapping[str, str],
        explicit: Mapping[str, Any],
        *,
        folders: Callable[[], list[str] | None],
        put_in_force: Callable[[Settings, list[str]], None],
        pull: Callable[[Callable[[Any], None]], None],
        notify: Callable[[Notice], None],
    ) -> None:
        self._runtime = runtime
        self._environment = environment
        self._command_line = explicit
        self._open_folders = folders
        self._put_in_force = put_in_force
        self._pull = pull
        self._notify = notify
        self._root: str | None = None
        self._initial: Any = {}
        self._changed: Mapping[str, Any] = {}

    def note_initialize(self, params: Mapping[str, Any]) -> None:
        """Keeps the root and `initializationOptions` as they came: they are JSON, not LSP types."""
        root, path = params.get("rootUri"), params.get("rootPath")
        self._root = paths.from_uri(root, windows=_WINDOWS)
        if root is None and isinstance(path, str) and is_absolute(path, windows=_WINDOWS):
            self._root = path
        options = params.get("initializationOptions")
        self._initial = {} if options is None else options

    def folders(self) -> list[str]:
        """The folders that are open in the editor."""
        uris = self._open_folders()
        if uris is None:
            return []
        folders = [paths.from_uri(uri, windows=_WINDOWS) for uri in uris] or [self._root]
        return [folder for folder in folders if folder]

    def resolve(self) -> Settings:
        """The settings of all layers. Raises SettingsInvalid."""
        if not isinstance(self._initial, dict):
            raise SettingsInvalid(
                "initializationOptions", "must be an object", self._initial, "initializationOptions"
            )
        file, name = config.load_config(self._environment)
        return layers.resolve(
            explicit={**self._command_line, **self._initial, **self._changed},
            environment=self._environment,
            file=file,
            file_name=name,
            unknown_provider=registry.unknown_name,
            # The settings of the start were valid.
            explicit_name="didChangeConfiguration" if self._changed else "initializationOptions",
        )

    def apply(self) -> None:
        """Puts the settings in force with the folders that are open now."""
        self._put_in_force(self._runtime.settings, self.folders())

    def did_change(self, params: Any, request_id: RequestId | None) -> None:
        """Handles `workspace/didChangeConfiguration`. A client that sends no settings with it is asked for them."""
        del request_id
        given = params.get("settings") if isinstance(params, dict) else None
        section = given.get("kato") if isinstance(given, dict) else None
        if section is None:
            self._pull(self._change)
        else:
            self._change(section)

    def _change(self, section: Any) -> None:
        before, kept = self._runtime.settings, self._changed
        try:
            if not isinstance(section, dict):
                raise SettingsInvalid("kato", "must be an object", section, "didChangeConfiguration")
            self._changed = section
            chosen = self.resolve()
        except SettingsInvalid as error:
            self._changed = kept
            message = f"Kato ignored the changed settings: {error.message}"
            self._notify(Notice("settings_rejected", "error", message, error.data))
            return
        self._runtime.commit()
        self._put_in_force(chosen, self.folders())
        late = sorted(settings.difference(before, chosen) & settings.RESTART_KEYS)
        if before.provider_session_roots != chosen.provider_session_roots:
            self._runtime.follow_logs()
        if late:
            message = f"Kato uses {', '.join(late)} after its next start."
            self._notify(Notice("restart_needed", "info", message, {"keys": late}))
        self._runtime.end_if_over_budget()
