"""VS Code's log of mutations: each record changes a state, which is plain JSON.

    {"kind": 0, "v": STATE}                       the state from here on
    {"kind": 1, "k": PATH, "v": VALUE}            set
    {"kind": 2, "k": PATH, "v"?: [...], "i"?: N}  cut the list to N elements, if that is given, then append
    {"kind": 3, "k": PATH}                        delete

A path is a list of keys and indices. VS Code replaces the log by one record of kind 0 from time to time. Where the beginning of
a log is missing, the objects and lists that a path names are made.
"""

from itertools import pairwise
from typing import Any, Final

from kato.assistants.contract import Json

SET: Final = 1
PUSH: Final = 2
DELETE: Final = 3
#: Elements that a path may create in front of the one that it names.
_ELEMENTS_MAX: Final = 16_384


def apply(state: Any, path: list[Any], record: Json) -> bool:
    """Applies a record to the state. Returns False if the record does not fit the state, which then stays as it is."""
    if not isinstance(state, dict):
        return False
    target: Any = state
    for step, following in pairwise(path):
        if isinstance(target, dict) and isinstance(step, str):
            target = target.setdefault(step, [] if isinstance(following, int) else {})
        elif isinstance(target, list) and isinstance(step, int) and 0 <= step < _ELEMENTS_MAX:
            target += [{} for _ in range(len(target), step + 1)]  # the log's beginning is gone
            target = target[step]
        else:
            return False
    last = path[-1]
    if isinstance(target, list) and isinstance(last, int) and 0 <= last <= len(target):
        return _change_list(target, last, record)
    return isinstance(target, dict) and isinstance(last, str) and _change_object(target, last, record)


def _change_list(target: list[Any], index: int, record: Json) -> bool:
    kind = record["kind"]
    if kind == SET:
        target[index : index + 1] = [record.get("v")]
    elif kind == PUSH and index < len(target) and isinstance(target[index], list):
        _push(target[index], record)
    elif kind == DELETE and index < len(target):
        del target[index]
    else:
        return False
    return True


def _change_object(target: dict[str, Any], key: str, record: Json) -> bool:
    kind = record["kind"]
    if kind == SET:
        target[key] = record.get("v")
    elif kind == PUSH and isinstance(target.setdefault(key, []), list):
        _push(target[key], record)
    elif kind == DELETE:
        target.pop(key, None)
    else:
        return False
    return True


def _push(held: list[Any], record: Json) -> None:
    cut, added = record.get("i"), record.get("v")
    if isinstance(cut, int):
        del held[max(0, cut) :]
    if isinstance(added, list):
        held += added
