"""The contract of the watchers, which report changes in folders as the system sees them.

Rule: a report is a hint. Only how soon Kato sees a change depends on it. A watcher names the reason why it fails (`failure`),
so that Kato looks at the folders more often.
"""

from collections.abc import Callable, Container, Sequence
from typing import NamedTuple, Protocol


class Failure(NamedTuple):
    """Why folders are not watched, and what the user can do about it."""

    reason: str
    cure: str


#: Called with the changed paths; with None when the system dropped changes because they were too many.
Report = Callable[[Sequence[str] | None], None]


class Watcher(Protocol):
    """Reports paths below the folders that were added. All calls and reports happen on the event loop's thread."""

    @property
    def failure(self) -> Failure | None:
        """Why some folders are not watched; None while all are."""
        ...

    @property
    def count(self) -> int:
        """How many folders are watched."""
        ...

    def add(self, folder: str) -> None:
        """Watches a folder. Call this before the folder is listed, so that no change is missed between the two."""
        ...

    def keep(self, folders: Container[str]) -> bool:
        """Stops watching all other folders. True when watching begins a moment later: changes until then are missed."""
        ...

    def retry(self) -> None:
        """Lets `add` try again what failed, where that can succeed."""
        ...

    def stop(self) -> None:
        """Stops watching."""
        ...
