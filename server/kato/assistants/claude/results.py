"""Claude Code: what the user said and decided in a tool's result.

- A rejection holds the user's words and no other record does. A tool can forge its text, so the words are proven by
  `userFeedback`, by `toolDenialKind`, by `toolUseResult`, or by a tool of Claude Code whose errors quote no other source.
- A plan (`ExitPlanMode`) is accepted or rejected; comments on a rejected plan quote the plan.
- Questions (`AskUserQuestion`) have their answers in `toolUseResult`, in old versions only in a sentence.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kato.assistants.claude.words import NOTHING, Words
from kato.assistants.contract import Json
from kato.assistants.values import object_of, objects_of, text_of

ABOUT_PLAN: Final = "it stands next to quotes of the assistant's plan"
IN_REJECTION: Final = "a tool's error can look like this rejection"

PLAN_TOOLS: Final = frozenset(["ExitPlanMode", "exit_plan_mode"])
QUESTION_TOOL: Final = "AskUserQuestion"
#: Why a call did not run, by `toolDenialKind`, for results without a text.
DENIALS: Final = {
    "user-rejected": "Denied by the user.",
    "permission-rule": "Denied by a permission rule.",
    "automode-blocked": "Denied by auto mode.",
    "automode-unavailable": "Denied: auto mode was unavailable.",
    "interrupted": "Interrupted by the user.",
    "cancelled": "Cancelled.",
}

_REJECTED: Final = "The user doesn't want to proceed with this tool use."
_SAID: Final = re.compile(
    r"(?:the user said:\n|The user provided the following reason for the rejection:[ \t]*\n?)"
)
#: The host's own sentences, before the user's words.
_PREAMBLE_CHARS_MAX: Final = 600
_SAID_NOTE: Final = "\n\nNote: The user's next message"
#: The host's own text where a rejection has the user's words.
_CLARIFY: Final = "The user wants to clarify these questions."
_STAY: Final = "User chose to stay in plan mode and continue planning"
_COMMENTS: Final = "Comments on the plan:\n"
_APPROVED: Final = "User has approved"
#: What `toolUseResult` is where the user rejected; an error of a tool begins with "Error:".
_REJECTION_MARK: Final = "User rejected tool use"
#: Tools whose errors begin with words of Claude Code's own.
_OWN_ERRORS: Final = frozenset(
    """Edit MultiEdit Write NotebookEdit Read Glob Grep LS TodoWrite ExitPlanMode exit_plan_mode
    AskUserQuestion""".split()
)


def rejection(record: Json, block: Json, text: str, tool: str | None) -> Words:
    """What the user said when refusing a tool; it stands nowhere but in the tool's result. `tool` is the tool's name,
    None where its call was not seen.
    """
    feedback = text_of(record, "userFeedback")
    if feedback is not None:
        feedback = feedback.strip()
        return NOTHING if not feedback or feedback.startswith(_CLARIFY) else Words("user", feedback)
    if block.get("is_error") is not True:
        return NOTHING
    if tool in PLAN_TOOLS and text.startswith(_STAY):
        comments = text.partition(_COMMENTS)[2].strip()
        return Words("user", comments, ABOUT_PLAN) if comments else NOTHING
    denial = text_of(record, "toolDenialKind")
    said = _SAID.search(text, 0, _PREAMBLE_CHARS_MAX)
    if denial not in (None, "user-rejected") or not text.startswith(_REJECTED) or said is None:
        return NOTHING
    words = text[said.end() :]
    words = (words.rpartition(_SAID_NOTE)[0] if _SAID_NOTE in words else words).strip()
    if not words or words.startswith(_CLARIFY):
        return NOTHING
    is_proven = denial is not None or record.get("toolUseResult") == _REJECTION_MARK or tool in _OWN_ERRORS
    return Words("user", words, None if is_proven else IN_REJECTION)


def plan_status(block: Json, text: str) -> Literal["accepted", "rejected", "proposed"]:
    """What became of a plan."""
    if block.get("is_error") is True:
        return "rejected" if text.startswith((_REJECTED, _STAY)) else "proposed"
    return "accepted" if text.startswith(_APPROVED) else "proposed"


class Answer(NamedTuple):
    """The answer to one question: the labels that were chosen and words of the user's own; notes on it."""

    chosen: list[str]
    notes: str = ""


def answers(questions: Sequence[Json], detail: object, text: str) -> list[Answer]:
    """The answers to questions, out of the result's fields, else out of its sentence."""
    given = object_of(detail, "answers") if isinstance(detail, dict) else {}
    notes = object_of(detail, "annotations") if isinstance(detail, dict) else {}
    in_sentence = _answers_in(questions, text)
    found = []
    for question in questions:
        words = text_of(question, "question") or ""
        sentence = in_sentence.get(words, Answer([]))
        answer = given.get(words)
        chosen = [answer] if isinstance(answer, str) and answer else sentence.chosen
        if isinstance(answer, list):
            chosen = [one for one in answer if isinstance(one, str)]
        if question.get("multiSelect") is True and len(chosen) == 1:
            chosen = _labels_in(chosen[0], objects_of(question, "options"))
        note = text_of(object_of(notes, words), "notes") or sentence.notes
        found.append(Answer(chosen, note.strip()))
    return found


def _labels_in(answer: str, options: Sequence[Json]) -> list[str]:
    """The labels that an answer begins with, the longest first, and what stands behind them: the user's own words."""
    labels = sorted((text_of(option, "label") or "" for option in options), key=len, reverse=True)
    found: list[str] = []
    rest = answer
    while rest:
        label = next((one for one in labels if one and (rest + ", ").startswith(one + ", ")), None)
        if label is None:
            return [*found, rest]
        found.append(label)
        rest = rest[len(label) + 2 :]
    return found


#: What stands between an answer and the user's notes on it.
_NOTES: Final = ('" notes: ', '". notes: ', '" user notes: ', '". user notes: ')
_GO_ON: Final = " You can now continue with the user's answers in mind."


def _answers_in(questions: Sequence[Json], text: str) -> dict[str, Answer]:
    """The answers in the sentence that the assistant is given: `"question"="answer", "question"=…`, or, where the
    user wants to talk about the questions first, `- "question"` and a line `Answer: …` each.
    """
    text = text.removesuffix(_GO_ON)
    asked = [words for question in questions if (words := text_of(question, "question"))]
    places: list[tuple[int, int, str]] = []  # begin and end of a question, its words
    at = 0
    for words in asked:
        begin = text.find(f'"{words}"', at)
        if begin >= 0:
            at = begin + len(words) + 2
            places.append((begin, at, words))
    found = {}
    for number, (_, end, words) in enumerate(places):
        until = places[number + 1][0] if number + 1 < len(places) else len(text)
        found[words] = _answer_in(text[end:until])
    return found


def _answer_in(text: str) -> Answer:
    if text.startswith("\n"):
        line = text.strip().partition("\n")[0]
        return Answer([line.removeprefix("Answer: ")] if line.startswith("Answer: ") else [])
    if not text.startswith('="'):
        return Answer([], text.partition(" notes: ")[2].rstrip(" ,\n") if text.startswith("=") else "")
    answer = text[2:]
    for marker in _NOTES:
        words, found, notes = answer.partition(marker)
        if found:
            return Answer([words] if words else [], notes.rstrip(" ,\n"))
    words = answer.rpartition('"')[0]
    return Answer([words] if words else [])
