"""The Kato that stores what an agent and its user say: the running one that is nearest to the session's folder, else one in this
process, on the same state folder.

Rule: once this process has a Kato of its own, it stays with it. Several processes on one journal store each event and run each
command once, as two windows do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from kato.system import local_sockets

Json = Mapping[str, Any]
_LOOK_SECONDS: Final = 0.5


class OwnKato(Protocol):
    """A Kato in this process, which starts when it is first asked."""

    @property
    def is_wanted(self) -> bool:
        """Whether it was asked."""
        ...

    @property
    def socket(self) -> str | None:
        """The path of its socket."""
        ...

    def follow(self, folders: Sequence[str]) -> None:
        """Sessions work in these folders."""
        ...

    def ask(self, request: Json, seconds: float) -> Json | None:
        """The answer; None if there is none."""
        ...


class Katos:
    """See the module."""

    def __init__(self, environment: Mapping[str, str], own: OwnKato) -> None:
        self._environment = environment
        self._own = own
        self._near: dict[object, str] = {}
        self._unfit: set[str] = set()
        self._answered: str | None = None

    def follow(self, folders: Sequence[str]) -> None:
        """Sessions work in these folders."""
        self._own.follow(folders)

    def ask(self, request: Json, seconds: float) -> Json | None:
        """The answer of a Kato; None if there is none."""
        for is_known in (True, False):
            path = None if self._own.is_wanted else self._nearest(request, is_known=is_known)
            answer = None if path is None else local_sockets.ask(path, request, seconds)
            if answer is not None and "error" not in answer:
                self._answered = path
                return answer
            if answer is not None and path is not None:
                self._unfit.add(path)  # an older version, which does not know the request
        self._answered = self._own.socket
        return self._own.ask(request, seconds)

    def note(self, request: Json) -> None:
        """Lets the other processes know what the one that answered last did with a prompt."""
        others = [path for path in local_sockets.sockets(self._environment) if path != self._answered]
        local_sockets.ask_all(others, request, _LOOK_SECONDS)

    def _nearest(self, request: Json, *, is_known: bool) -> str | None:
        cwd = request.get("cwd")
        if is_known and cwd in self._near:
            return self._near[cwd]
        about = {key: value for key, value in request.items() if key in ("provider", "sessionId", "cwd")}
        paths = [path for path in local_sockets.sockets(self._environment) if path not in self._unfit]
        found = local_sockets.nearest(local_sockets.ask_all(paths, {"op": "look", **about}, _LOOK_SECONDS))
        if found is not None:
            self._near[cwd] = found
        else:
            self._near.pop(cwd, None)
        return found
