"""Codex: the marks that a model puts into an answer for Codex."""

from typing import Final, NamedTuple

from kato.core.text import next_fence

_CITATION: Final = ("<oai-mem-citation>", "</oai-mem-citation>")
_PLAN: Final = ("<proposed_plan>", "</proposed_plan>")


class Answer(NamedTuple):
    """What the assistant said, and the plan that it proposed in it."""

    text: str
    plan: str


def answer_of(text: str) -> Answer:
    """An answer without the marks that the model puts into it for Codex, as the events have it: a citation of its memory
    at the end, tags on lines of their own around a plan.
    """
    head, opened, tail = text.rpartition(_CITATION[0])
    if opened and tail.rstrip().endswith(_CITATION[1]):
        text = head.rstrip()
    if _PLAN[0] not in text:
        return Answer(text, "")
    said: list[str] = []
    plan: list[str] = []
    in_plan, fence = False, None
    for line in text.split("\n"):
        mark = line.strip()
        if not in_plan and fence is None and mark == _PLAN[0]:
            in_plan = True
        elif in_plan and mark == _PLAN[1]:
            in_plan = False
        elif in_plan:
            plan.append(line)
        else:
            fence = next_fence(line, fence)
            said.append(line)
    return Answer("\n".join(said).strip("\n"), "\n".join(plan).strip("\n")) if plan else Answer(text, "")
