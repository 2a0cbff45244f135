"""Claude Code: what records of any kind, and the files next to a log, say about the session."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from kato.assistants.claude.titles import Titles
from kato.assistants.claude.tree import PromptTree
from kato.assistants.contract import Json, LogFile
from kato.assistants.readers import LinesReader
from kato.assistants.values import object_of, text_of
from kato.core.lenient_json import loads

_FOLDERS_MAX: Final = 16
#: How the name of a sub-agent's companion ends.
_META: Final = ".meta.json"
#: The working folder inside the desktop app's virtual machine: not a folder of this machine.
_INSIDE_VM: Final = "/sessions/"
#: What stands in place of a branch while none is checked out.
_NO_BRANCH: Final = "HEAD"
_CAME: Final = {
    "forked": "The conversation was forked from another one.",
    "resumed": "The conversation goes on from another session.",
}


class SessionFacts(LinesReader):
    """The session's title, folders and parent, and where its copied records came from. `meta` is a sub-agent's `meta.json`,
    `facts` an app's file on the session, with its title and folder; each may be empty.
    """

    provider = "claude"

    def __init__(self, log: LogFile, meta: bytes = b"", facts: bytes = b"") -> None:
        super().__init__(log)
        self._meta = self._companion("agent's meta.json", meta)
        self._facts = self._companion("session's json", facts)
        self._again()

    def take_companions(self, companions: Mapping[str, bytes]) -> None:
        """Takes the files next to the log: a sub-agent's `.meta.json`, and an app's file on the session."""
        for name, data in companions.items():
            if self.log.parent_id is not None and name.endswith(_META):
                self._meta = self._companion("agent's meta.json", data)
                self._read_meta()
            else:
                self._facts = self._companion("session's json", data)
                self._read_facts()

    def _companion(self, name: str, data: bytes) -> Json:
        try:
            found = loads(data) if data else {}
        except ValueError as error:
            self.report("broken_line", f"{name}: {error}")
            return {}
        return found if isinstance(found, dict) else {}

    def _again(self) -> None:
        self._titles = Titles()
        self._tree = PromptTree()
        self._came_from: tuple[str, str] | None = None  # how, and from which session, the copied records came
        self._read_meta()
        self._read_facts()

    def _read_meta(self) -> None:
        if not self._meta:
            return
        kind, task = text_of(self._meta, "agentType"), text_of(self._meta, "description")
        self.title = ": ".join(part for part in (kind, task) if part) or None
        self.parent_tool_call_id = text_of(self._meta, "toolUseId")
        parent_agent = text_of(self._meta, "parentAgentId")
        if parent_agent:
            self.parent_id = f"agent-{parent_agent}"

    def _read_facts(self) -> None:
        selected = self._facts.get("userSelectedFolders")
        folders = [one for one in selected if isinstance(one, str)] if isinstance(selected, list) else []
        cwd = text_of(self._facts, "cwd") or text_of(self._facts, "working_dir")
        if not folders and cwd and not cwd.startswith(_INSIDE_VM):
            folders = [cwd]
        for folder in folders[:_FOLDERS_MAX]:
            self._folders[folder] = None
            self.cwd = self.cwd or folder
        if self.parent_id is None:
            self._titles.name("app", text_of(self._facts, "title"))
            self.title = self._titles.best or self.title

    def _about(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """Takes the facts about the session from a record of any kind."""
        self.version = text_of(record, "version") or self.version
        self._visit(text_of(record, "cwd"))
        branch = text_of(record, "gitBranch")
        if branch and branch != _NO_BRANCH and not self._is_recovered:
            self.branch = branch
        if uuid is not None:
            self._tree.see(record)
            self._titles.see(uuid)
            self.title = self._titles.best or self.title
        # A fork begins with the records of the session that it was forked from; which writes down either.
        session_id = text_of(record, "sessionId")
        is_fork = "forkedFrom" in record
        self.is_copy = is_fork or (session_id is not None and session_id != self.log.session_id)
        if self.parent_id is not None or uuid is None:
            return
        if self.is_copy:
            forked_from = text_of(object_of(record, "forkedFrom"), "sessionId") if is_fork else None
            self._came_from = ("forked", forked_from) if forked_from else ("resumed", session_id or "")
        elif self._came_from is not None:
            (how, origin), self._came_from = self._came_from, None
            self._tree.leave_history()
            self._close()
            event_id = f"{how}:{origin}:{self.session_id}"
            self.emit_note(event_id, at, "user", _CAME[how], subtype=how, origin=origin or None)

    def _visit(self, cwd: str | None) -> None:
        """The session works in this folder."""
        if cwd is None or cwd in self._folders or self._is_recovered:
            return
        if self._folders and self._facts and cwd.startswith(_INSIDE_VM):
            return
        self.cwd = self.cwd or cwd
        if len(self._folders) < _FOLDERS_MAX:
            self._folders[cwd] = None

    def take_title(self, record: Json, uuid: str | None, at: datetime | None) -> None:
        """Takes a record that holds a title."""
        del uuid, at
        self._titles.take(record)
        self.title = self._titles.best or self.title

    @abstractmethod
    def _close(self) -> None:
        """Emits what was held back, because a boundary follows."""
