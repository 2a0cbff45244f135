"""Follows gaps after they are stored: recordings end and go on with them, and the user is notified of ignored folders."""

import logging
from collections.abc import Iterator, Sequence

from kato.core.events import SessionKey
from kato.core.ports import Ledger, Listener
from kato.core.snapshots import SnapshotStore
from kato.engine import notices
from kato.engine.appends import Group
from kato.engine.failures import guarded
from kato.engine.recordings import Recordings
from kato.engine.withholding import Withholding

log = logging.getLogger("kato.engine")


class GapFollower:
    """See the module."""

    def __init__(
        self,
        ledger: Ledger,
        store: SnapshotStore,
        withholding: Withholding,
        recordings: Recordings,
        listener: Listener,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._withholding = withholding
        self._recordings = recordings
        self._listener = listener
        #: The `.katoignore` files that the user was notified of.
        self._reported: set[str] = set()

    def follow(self, groups: Sequence[Group]) -> None:
        """Ends and resumes the recordings of conversations that are not kept now, or are kept again."""
        for group in groups:
            is_concerned = group.not_kept is not None or group.origins is not None
            if is_concerned and group.error is None and group.switch is None:  # the editor's command does it
                with guarded(f"the gap of {group.key.session_id}"):
                    self._recordings.follow_gap(group.key, is_kept=group.not_kept is None)
        begun, self._withholding.begun = self._withholding.begun, []
        for path in dict.fromkeys(one.path for one in begun):
            if path not in self._reported:
                self._reported.add(path)
                log.info("conversations are not kept because of a .katoignore file")
                self._listener.notify(notices.folder_ignored(path))

    def newly_ignored(self) -> Iterator[SessionKey]:
        """The sessions in memory or with a recording into whose folder a `.katoignore` file came."""
        recorded = [one.key for one in self._ledger.active_recordings()]
        for key in dict.fromkeys([*self._store.keys(), *recorded]):
            record = self._ledger.session(key)
            path = None if record is None else self._withholding.is_ignored(record.cwd)
            if path is not None and self._withholding.reason(key) != "ignored":
                yield key
