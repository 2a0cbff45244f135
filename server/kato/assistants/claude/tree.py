"""Claude Code: rewinds. Records form a tree by `parentUuid`; a rewind leaves its branch in the file and starts another one.

Two prompts with the same parent are a rewind to there. A rewind to the first message leaves two prompts without a parent:
`parentUuid` is null. (The first record after a compaction has none either, but it is not a prompt.)
"""

from typing import Final

from kato.assistants.contract import Json
from kato.assistants.values import remember

#: Prompts that are remembered by their parents.
_PROMPTS_MAX: Final = 1024
#: Stands for the parent of the first message.
_ROOT: Final = ""


class PromptTree:
    """Finds the prompts that begin another branch."""

    def __init__(self) -> None:
        self._prompts: dict[str, set[str]] = {}  # prompts by their parent
        self._is_linked = (
            False  # a record named its parent: a null is not a version's way to name none at all
        )

    def see(self, record: Json) -> None:
        """Takes a record of the conversation."""
        self._is_linked = self._is_linked or bool(record.get("parentUuid"))

    def leave_history(self) -> None:
        """The copied records end. A fork may begin a tree of its own: its first prompt is not a rewind."""
        self._prompts.pop(_ROOT, None)

    def is_rewind(self, record: Json, uuid: str | None) -> bool:
        """Takes a prompt; gives whether the conversation went back to its parent."""
        if uuid is None or "parentUuid" not in record:
            return False
        parent = _ROOT if record["parentUuid"] is None else record["parentUuid"]
        if not isinstance(parent, str):
            return False
        siblings = self._prompts.get(parent)
        if siblings is None:
            remember(self._prompts, parent, {uuid}, _PROMPTS_MAX)
            return False
        if uuid in siblings:
            return False
        siblings.add(uuid)
        return parent != _ROOT or self._is_linked
