"""Sessions that an assistant keeps in several logs: parts, each of which goes on where the one before it ended.

Rule: parts are read in the order in which they were begun, which their names give.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath

from kato.assistants.contract import LogFile


def part_order(path: str) -> list[tuple[int, str]]:
    """The order of parts by their names: `partition-2` comes before `partition-10`."""
    name = PurePath(path).name
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def first_part(path: str, logs: Mapping[str, LogFile]) -> str:
    """The path of the earliest part of a log's session. `logs` are the known logs by path, this one among them."""
    log = logs[path]
    if not log.is_later_part:
        return path
    same = [other for other, its_log in logs.items() if its_log.session_id == log.session_id]
    return min(same, key=lambda other: (logs[other].is_later_part, part_order(other)))
