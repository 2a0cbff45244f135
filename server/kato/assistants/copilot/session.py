"""A session of Copilot's, with its sub-agents, and the folder that it works in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePath
from typing import Final

from msgspec.structs import replace

from kato.assistants.builder import BaseReader
from kato.assistants.contract import Json, LogFile, ReadResult, SessionInfo, Surroundings
from kato.assistants.copilot.companions import about
from kato.assistants.values import identifier, object_of, remember, text_of
from kato.core import limits
from kato.core.text import one_line

#: Arguments of tools that name a file or a folder.
_PATHS: Final = ("filePath", "file_path", "path", "dirPath", "uri")
#: Sub-agents of a session that are remembered; older ones have ended.
SUB_AGENTS_MAX: Final = 256
#: Calls that may have started a sub-agent.
_CALLS_MAX: Final = 4096


class Session(BaseReader):
    """What the stores have in common. Where no record names the session's folder, the files that its tools touch do."""

    provider = "copilot"

    def __init__(self, log: LogFile, cwd: str | None, surroundings: Surroundings) -> None:
        super().__init__(log)
        self.cwd = cwd
        self.surroundings = surroundings
        self._touched: PurePath | None = None  # the common parent of the files that were touched
        self._touched_open: str | None = None  # the open folder that the first of them lies in
        #: What stands for each picture that was saved, by the id under which later records refer to it.
        self.assets: dict[str, str] = {}
        self._forget_sub_agents()

    def _forget_sub_agents(self) -> None:
        self._sub_agents: dict[str, SubAgent] = {}  # by the calls that started them
        self._of_session: dict[str, SubAgent] = {}
        self._callers: dict[str, str] = {}  # calls of sub-agents -> the sessions that made them
        self._tasks: dict[str, str] = {}  # calls that start a sub-agent -> what it is to do, in a line

    def take_companions(self, companions: Mapping[str, bytes]) -> None:
        """Takes the folder and the title that the files next to the log name."""
        cwd, title = about(companions, self.surroundings)
        self.cwd = self.cwd or cwd
        self.title = title or self.title

    # Sub-agents

    @property
    def main(self) -> "Session":
        """The session that the user talks in."""
        return self

    @contextmanager
    def sub_agent(self, call_id: str) -> Iterator["SubAgent"]:
        """The sub-agent that this call started. What it emits inside the block becomes part of this reader's result."""
        child = self._sub_agents.get(call_id)
        if child is None:
            child = SubAgent(call_id, self)
            remember(self._sub_agents, call_id, child, SUB_AGENTS_MAX)
            remember(self._of_session, child.session_id, child, SUB_AGENTS_MAX)
        child.parent_id = self._callers.get(call_id, self.session_id)
        child.begin_at(self._last)
        self.started[child.session_id] = identifier(call_id)
        yield child
        self._collect(child, is_quiet=False)

    def _collect_all(self) -> None:
        """The log is quiet: takes what sub-agents held back until a record had a time."""
        for child in self._sub_agents.values():
            self._collect(child, is_quiet=True)

    def _collect(self, child: "SubAgent", *, is_quiet: bool) -> None:
        result = child.emitted(is_quiet=is_quiet)
        self._events += result.events
        self._problems += result.problems

    def emitted(self, *, is_quiet: bool) -> ReadResult:
        """What was emitted since the last time."""
        return self._taken(is_quiet=is_quiet)

    def begin_at(self, at: datetime | None) -> None:
        """Events without a time, from before the first that has one, happened at this moment."""
        self._last = self._last or at

    def about(self, session_id: str) -> SessionInfo:
        """What is known of this session, or of one of its sub-agents'."""
        info = super().about(session_id)
        child = self._of_session.get(session_id)
        if child is None:
            return info
        title = one_line(self._tasks.get(child.call_id) or child.title or "", limits.TITLE_CHARS_MAX * 2)
        return replace(info, title=title or None, parent_id=child.parent_id)

    # Calls

    def emit_call(
        self,
        event_id: str,
        at: datetime | None,
        kind: str,
        call_id: str,
        name: str,
        given: object,
        *,
        about: str | None = None,
        origin: str | None = None,
        model: str | None = None,
    ) -> None:
        """A tool call. One with a prompt may start a sub-agent."""
        super().emit_call(event_id, at, kind, call_id, name, given, about=about, origin=origin, model=model)
        self.know_call(call_id, self.session_id, object_of({"given": given}, "given"))

    def know_call(self, call_id: str, caller: str, given: Json) -> None:
        """Remembers who made a call, and the task in it."""
        if caller != self.session_id:
            remember(self._callers, call_id, caller, _CALLS_MAX)
        task = text_of(given, "description")
        if task and "prompt" in given:
            remember(self._tasks, call_id, task, _CALLS_MAX)

    # The folder

    def _called(self, arguments: Json) -> None:
        self.touch(arguments)

    def touch(self, arguments: Json) -> None:
        """Takes the paths in a call's arguments for files of the session's folder."""
        if self.cwd is None:
            for key in _PATHS:
                path = self.surroundings.pure(text_of(arguments, key) or "")
                if path.is_absolute():
                    self._touch_folder(path.parent)

    def _touch_folder(self, folder: PurePath) -> None:
        if self._touched_open is None:
            around = {str(one) for one in (folder, *folder.parents)}
            self._touched_open = next((one for one in self.surroundings.folders if one in around), None)
        if self._touched is None:
            self._touched = folder
        while self._touched not in (folder, *folder.parents) and self._touched != self._touched.parent:
            self._touched = self._touched.parent

    def _guess_folder(self) -> None:
        touched = self._touched
        if self.cwd is None and touched is not None:
            common = None if touched == touched.parent else str(touched)
            self.cwd = self._touched_open or common


class SubAgent(Session):
    """A sub-agent's session inside its parent's log."""

    def __init__(self, call_id: str, main: Session) -> None:
        log = LogFile(identifier(f"subagent-{call_id}"), parent_id=main.session_id)
        super().__init__(log, main.cwd, main.surroundings)
        self.call_id = call_id
        self.version = main.version
        self._main = main

    @property
    def main(self) -> Session:
        """The session that the user talks in."""
        return self._main

    def know_call(self, call_id: str, caller: str, given: Json) -> None:
        """Passes the call to the main session, which keeps all callers."""
        self._main.know_call(call_id, caller, given)

    def touch(self, arguments: Json) -> None:
        """Passes the paths to the main session: a sub-agent works in its folder."""
        self._main.touch(arguments)
