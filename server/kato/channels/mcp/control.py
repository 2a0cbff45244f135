"""Reaches the Kato processes that run, through their local sockets."""

from collections.abc import Mapping
from typing import Any, Final

from kato.channels.mcp.protocol import ToolResult
from kato.channels.mcp.tools import NOT_RUNNING
from kato.core.records import SessionRecord
from kato.system import local_sockets

_LOOK_SECONDS: Final = 1.0
#: Writing a note of a very long conversation takes some seconds.
_CAPTURE_SECONDS: Final = 60.0


class SocketControl:
    """See the module."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def is_running(self) -> bool:
        """Whether a Kato answers."""
        asked = {"op": "look", "provider": "kato", "sessionId": "-"}
        return bool(local_sockets.ask_all(local_sockets.sockets(self._environment), asked, _LOOK_SECONDS))

    def capture(self, session: SessionRecord, path: str, mode: str) -> ToolResult:
        """Lets the Kato that is nearest to the session write it to a note."""
        about: dict[str, Any] = {"provider": session.key.provider, "sessionId": session.key.session_id}
        if session.cwd is not None:
            about["cwd"] = session.cwd
        sockets = local_sockets.sockets(self._environment)
        answers = local_sockets.ask_all(sockets, {"op": "look", **about}, _LOOK_SECONDS)
        ranked = sorted(
            ((path, (answer or {}).get("rank") or 0) for path, answer in answers), key=lambda one: one[1]
        )
        if not ranked:
            return ToolResult(f"Nothing was written. {NOT_RUNNING}", is_error=True)
        nearest, rank = ranked[-1]
        if not rank:
            return ToolResult(
                "Nothing was written: no running Kato has the conversation's folder open. Ask the user to open it in an "
                "editor with Kato, or to run `kato watch` in a terminal.",
                is_error=True,
            )
        asked = {"op": "capture", **about, "path": path, "mode": mode}
        answer = local_sockets.ask(nearest, asked, _CAPTURE_SECONDS)
        if answer is None:
            return ToolResult("Kato did not answer; recording_status shows what is recorded.", is_error=True)
        failed = answer.get("failed") is True or "error" in answer
        return ToolResult(f"Kato: {answer.get('message', answer.get('error'))}", failed)
