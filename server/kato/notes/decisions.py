"""Decisions as Markdown: a question or a plan in a block quote, with what was on offer and what was chosen.

These keys of `metadata` are shown, if they are there: `header`, `question`, `options` (a list of {label, description}),
`answer` (a text or a list of texts), `notes` (the user's words on the answer) and `plan` (Markdown, quoted as it is).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET

from kato.core.events import Decision
from kato.notes.markup import normalised, one_line, prose, trimmed
from kato.notes.safe_markdown import enclosed, escaped_tags


def shown(event: Decision) -> str:
    """The block quote of a decision."""
    metadata: Mapping[str, Any] = {} if event.metadata is UNSET else event.metadata
    lines = [f"**Decision** ({event.status} by {prose(event.decided_by)}): {prose(event.summary)}"]
    question = metadata.get("question")
    if isinstance(question, str) and question.strip():
        header = metadata.get("header")
        label = f"{prose(header)}: " if isinstance(header, str) and header.strip() else ""
        lines += ["", f"{label}{prose(question)}"]
    answer = metadata.get("answer")
    chosen = [answer] if isinstance(answer, str) else answer if isinstance(answer, list) else []
    answers = [one_line(one) for one in chosen if isinstance(one, str) and one.strip()]
    options = metadata.get("options")
    offered = [_option(one, answers) for one in options] if isinstance(options, list) else []
    shown = [line for line in offered if line]
    if shown:
        lines += ["", *shown]
    labels = {_label(one) for one in options} if isinstance(options, list) else set()
    own = [one for one in answers if one not in labels]
    if own:
        lines += ["", f"Answer: {escaped_tags('; '.join(own))}"]
    notes, plan = metadata.get("notes"), metadata.get("plan")
    if isinstance(notes, str) and notes.strip():
        lines += ["", f"Notes: {prose(notes)}"]
    if isinstance(plan, str) and plan.strip():
        lines += ["", *enclosed(trimmed(normalised(plan))).split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _option(option: Any, answers: Sequence[str]) -> str:
    label = _label(option)
    if not label:
        return ""
    description = option.get("description") if isinstance(option, dict) else None
    about = f" – {prose(description)}" if isinstance(description, str) and description.strip() else ""
    return f"- [{'x' if label in answers else ' '}] {escaped_tags(label)}{about}"


def _label(option: Any) -> str:
    label = option.get("label") if isinstance(option, dict) else option
    return one_line(label) if isinstance(label, str) else ""
