"""Codex: which files are its logs."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from kato.assistants.codex.document import CodexDocument
from kato.assistants.codex.own_tools import TOOLS
from kato.assistants.codex.reader import CodexReader
from kato.assistants.codex.titles import DESKTOP, INDEX
from kato.assistants.contract import Assistant, LogFile, Reader, Surroundings

_ROLLOUT: Final = re.compile(
    # When the user goes back to an earlier message, Codex begins another file: the thread's id, then the file's id.
    r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-(?P<thread>[0-9A-Za-z-]+)(?P<part>_[0-9A-Za-z-]+)?\.jsonl(?:\.zst)?"
)
#: Until the summer of 2025: one JSON object; the name contains the day only.
_DOCUMENT: Final = re.compile(r"rollout-\d{4}-\d\d-\d\d-(?P<thread>[0-9A-Za-z-]+)\.json")


def _roots(surroundings: Surroundings) -> list[str]:
    home = surroundings.variable("CODEX_HOME", ".codex")
    return [surroundings.path(home, "sessions"), surroundings.path(home, "archived_sessions")]


def _match(parts: Sequence[str]) -> LogFile | None:
    if len(parts) == 1 and (found := _DOCUMENT.fullmatch(parts[0])) is not None:
        return LogFile(found["thread"], rewritten=True)
    found = _ROLLOUT.fullmatch(parts[-1])
    if found is None or len(parts) not in (1, 4):
        return None
    is_later = found["part"] is not None
    companions = (f"../{INDEX}", f"../{DESKTOP}")
    return LogFile(found["thread"], companions=companions, is_later_part=is_later)


def _enter(parts: Sequence[str]) -> bool:
    return len(parts) <= 3 and parts[-1].isdecimal()


def _reader(log: LogFile, companions: Mapping[str, bytes], surroundings: Surroundings) -> Reader:
    del surroundings
    reader = CodexDocument(log) if log.rewritten else CodexReader(log)
    reader.take_companions(companions)
    return reader


CODEX: Final = Assistant(
    "codex",
    "Codex",
    _roots,
    _match,
    _enter,
    _reader,
    title_marks=(b'"thread_name_updated"',),
    tools=TOOLS,
    resume=lambda _, session_id: ("codex", "resume", session_id),
)
