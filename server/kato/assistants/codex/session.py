"""Codex: reads what a log contains about its session: folder, model, turns, and the session that it was forked from."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from kato.assistants.codex.copies import CopiedHistory, first_own_ordinal, uuid7_moment
from kato.assistants.codex.titles import title_in
from kato.assistants.codex.twins import Lines, Twins
from kato.assistants.contract import Json, LogFile
from kato.assistants.readers import LinesReader
from kato.assistants.values import moment, number_of, object_of, text_of

#: Values of `thread_source` for sessions that the user did not start.
_OTHERS_SESSIONS: Final = frozenset(["subagent", "guardian_review", "memory_consolidation"])
#: Ids of turns that `codex migrate-rollouts` adds to a log that had none. The reader ignores such turns: the messages must keep
#: the ids that they had before.
_ADDED_TURN: Final = re.compile(r"rollout-\d+")
_FOLDERS_MAX: Final = 16


class Entry(NamedTuple):
    """The content of a record: its payload, or the item in the payload; the kind of either; and the record's time."""

    body: Json
    kind: str
    at: datetime | None


def is_added_turn(body: Json) -> bool:
    """Whether a record is about a turn that a migration added."""
    return _ADDED_TURN.fullmatch(text_of(body, "turn_id") or "") is not None


class SessionReader(LinesReader):
    """Reads what the log contains about the session."""

    provider = "codex"

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._again()

    def take_companions(self, companions: Mapping[str, bytes]) -> None:
        """Takes the thread's title."""
        self.title = title_in(companions, self.log.session_id) or self.title

    def _again(self) -> None:
        self._twins = Twins()
        self._seen_lines = Lines()
        self._tokens_before = 0  # of the session that this one was forked from
        self._model: str | None = None
        self._turn = ""
        self._has_meta = False
        self._is_fork_of_other_file = False
        self._own_id: str | None = None
        self._begun_at: datetime | None = None
        self._forked_from: str | None = None
        self._first_own: int | None = None
        self._copy: CopiedHistory | None = None
        self.is_copy = False
        self._folders = {}
        self.tokens = None

    def _line(self, line: bytes, *, is_shortened: bool = False) -> None:
        if not self._seen_lines.is_copy(line):
            super()._line(line, is_shortened=is_shortened)

    # --- Ids --------------------------------------------------------------------------------------------

    def _id(self, role: str, text: str, at: datetime | None, scope: str = "") -> str:
        """An id for a record that has none, a different one each time."""
        return self._twins.new_id(scope or self._scope(at), role, text)

    def _scope(self, at: datetime | None) -> str:
        """The scope of an id: the turn, else the time, else the line."""
        return self._turn or (f"line{self._twins.number}" if at is None else at.isoformat())

    # --- The session ------------------------------------------------------------------------------------

    def _meta(self, entry: Entry) -> None:
        payload, at = entry.body, entry.at
        if self._has_meta:
            # Copied history of the session that this one was forked from, even if the first record names no fork.
            other = text_of(payload, "id")
            if self._copy is None and other not in (None, self.session_id, self._own_id):
                self._forked_from = self._forked_from or other
                self._begin_copy(self._begun_at or at)
            return
        self._has_meta = True
        self._own_id = text_of(payload, "id")
        self._begun_at = uuid7_moment(self.session_id) or moment(payload.get("timestamp")) or at
        self._last = self._last or moment(payload.get("timestamp")) or at  # for records without a time
        self._work_in(text_of(payload, "cwd"))
        self.version = text_of(payload, "cli_version")
        self.branch = text_of(object_of(payload, "git"), "branch")
        self._started_by(payload)
        self._continue_from(payload, at)

    def _started_by(self, payload: Json) -> None:
        """The session that started this one, if it is a sub-agent's."""
        source = object_of(payload, "source")
        spawned = object_of(object_of(source, "subagent"), "thread_spawn")
        parent = text_of(spawned, "parent_thread_id") or text_of(payload, "parent_thread_id")
        is_others = text_of(payload, "thread_source") in _OTHERS_SESSIONS
        if parent or is_others or "subagent" in source or "internal" in source:
            # A review or a guardian names no parent; its task is not the user's word all the same.
            root = text_of(payload, "session_id")
            self.parent_id = (
                parent or text_of(payload, "forked_from_id") or ("" if root == self._own_id else root or "")
            )
            name = (
                text_of(spawned, "agent_nickname")
                or text_of(spawned, "agent_role")
                or text_of(spawned, "agent_type")
            )
            self.title = self.title or name or text_of(source, "subagent")

    def _continue_from(self, payload: Json, at: datetime | None) -> None:
        """Notes the history before this log: a copy at its beginning, or the beginning of another log."""
        self._forked_from = text_of(payload, "forked_from_id")
        base = payload.get("history_base")
        if isinstance(base, dict):  # the history stays where it is
            self._is_fork_of_other_file = self._forked_from is not None
            if self._forked_from:
                self._mark_fork(at)
            elif self.parent_id is None:
                event_id = f"rewind:{text_of(base, 'thread_id')}:{base.get('end_ordinal_exclusive')}"
                words = "The conversation went back to an earlier message."
                self.emit_note(event_id, at, "session_meta", words, subtype="rewind")
            return
        self._first_own = self._first_own or first_own_ordinal(payload)
        if self._forked_from or self._first_own is not None:
            self._begin_copy(self._begun_at or at)

    def _begin_copy(self, forked_at: datetime | None) -> None:
        """The records that follow were copied from another session."""
        self._copy = None if forked_at is None else CopiedHistory(forked_at, self._first_own)
        self.is_copy = self._copy is not None

    def _end_copy(self, at: datetime | None) -> None:
        self._copy, self.is_copy = None, False
        self._mark_fork(at)

    def _mark_fork(self, at: datetime | None) -> None:
        if self._forked_from and self.parent_id is None:
            words = "The conversation was forked from another one."
            event_id = f"forked:{self._forked_from}"
            self.emit_note(event_id, at, "session_meta", words, subtype="forked", origin=self._forked_from)

    def _turn_context(self, entry: Entry) -> None:
        self._model = text_of(entry.body, "model") or self._model
        if not is_added_turn(entry.body):
            self._turn = text_of(entry.body, "turn_id") or self._turn
        if not self.is_copy:
            self._work_in(text_of(entry.body, "cwd"))

    def _work_in(self, folder: str | None) -> None:
        if folder:
            self.cwd = self.cwd or folder
            if len(self._folders) < _FOLDERS_MAX:
                self._folders[folder] = None

    def _count_tokens(self, entry: Entry) -> None:
        """Takes the tokens of the session so far: the input contains what was read from a cache. A fork counts on from the tokens of
        the session that it was forked from.
        """
        used = object_of(object_of(entry.body, "info"), "total_token_usage")
        given, answered = number_of(used, "input_tokens"), number_of(used, "output_tokens")
        if given is not None and answered is not None and not self._is_recovered:
            cached = number_of(used, "cached_input_tokens") or 0
            total = max(0, given - cached) + answered
            if self.is_copy:
                self._tokens_before = total
            elif not self._is_fork_of_other_file:
                self.tokens = max(0, total - self._tokens_before)

    def _named_thread(self, entry: Entry) -> None:
        if not self._is_recovered:
            self.title = text_of(entry.body, "thread_name") or self.title

    def _rerouted(self, entry: Entry) -> None:
        """Codex asked another model than the turn's."""
        self._model = text_of(entry.body, "to_model") or self._model
