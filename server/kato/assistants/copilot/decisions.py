"""Parts of an answer that ask the user: questions, confirmations, plans.

questionCarousel  {questions: [{id, title, message?, options}], data: {id: ANSWER}, isUsed?, answeredExternally?, autoReply?}
ANSWER            text, or {selectedValue | selectedValues, freeformValue?}
confirmation, elicitation…  {title, message, buttons?, isUsed? | state}
planReview        {title, content: the plan, isUsed?, data: {rejected, action?, feedback?, feedbackOverall?, feedbackInlineMarkdown?}}
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.copilot.session import Session
from kato.assistants.copilot.words import doubt_of, line_of, markdown_of
from kato.assistants.values import object_of, objects_of, text_of
from kato.core.events import DecisionStatus

_UNPROVEN: Final = "it may quote the plan that it is about"


def ask_questions(session: Session, part: Json, event_id: str, at: datetime | None, origin: str) -> None:
    """Questions with the answers that the user chose or wrote. Answers that were given elsewhere are not in the state."""
    answers = object_of(part, "data")
    for number, question in enumerate(objects_of(part, "questions")):
        chosen, own_words = _answer_of(answers.get(text_of(question, "id") or ""))
        if not chosen and not own_words and part.get("answeredExternally") is True:
            chosen = "answered elsewhere"
        session.emit_question(
            f"{event_id}:answer{number}",
            at,
            "questionCarousel",
            line_of(question.get("message")) or text_of(question, "title") or "",
            call_id=origin,
            header=text_of(question, "title"),
            options=objects_of(question, "options"),
            answer=chosen,
            notes=own_words,
            status="accepted" if chosen or own_words else "rejected",
            decided_by="assistant" if part.get("autoReply") is True else "user",
        )


def _answer_of(given: object) -> tuple[object, str]:
    """The chosen options, and the words that the user added. Words without a choice are the answer."""
    if not isinstance(given, dict):
        return given, ""
    chosen = given.get("selectedValues") or given.get("selectedValue")
    own_words = text_of(given, "freeformValue") or ""
    return (chosen, own_words) if chosen else (own_words, "")


def confirm(session: Session, part: Json, event_id: str, at: datetime | None, origin: str) -> None:
    """A question with buttons."""
    title, message = line_of(part.get("title")), line_of(part.get("message"))
    state = part.get("state")
    used = part.get("isUsed") is True or state == "accepted"
    status: DecisionStatus = "accepted" if used else "rejected" if state == "rejected" else "proposed"
    session.emit_question(
        event_id,
        at,
        "confirmation",
        message or title,
        call_id=origin,
        header=title,
        options=[button for button in part.get("buttons") or [] if isinstance(button, str)],
        status=status,
    )


def review_plan(session: Session, part: Json, event_id: str, at: datetime | None, origin: str) -> None:
    """A plan, the user's decision on it, and the words that the user wrote with it. Words without an action ask for another
    plan.
    """
    data = object_of(part, "data")
    overall, inline = text_of(data, "feedbackOverall") or "", text_of(data, "feedbackInlineMarkdown") or ""
    joined = "\n\n".join(words for words in (overall, inline) if words.strip())
    feedback = text_of(data, "feedback") or joined
    is_answered = part.get("isUsed") is True and bool(data)
    is_accepted = bool(text_of(data, "action") or text_of(data, "actionId"))
    status: DecisionStatus = "proposed"
    if is_answered:
        status = "accepted" if is_accepted and data.get("rejected") is not True else "rejected"
    plan = markdown_of(part.get("content")) or line_of(part.get("title"))
    session.emit_plan(event_id, at, "planReview", plan, call_id=origin, status=status, feedback=feedback)
    # The whole feedback contains comments on lines of the plan: only the part for the plan as a whole is typed for sure.
    if overall.strip():
        session.emit_user(f"{event_id}:said", at, "planReview", overall, origin, doubt=doubt_of(overall))
    elif feedback.strip():
        session.emit_user(f"{event_id}:said", at, "planReview", feedback, origin, doubt=_UNPROVEN)


KINDS: Final[Mapping[str, Callable[[Session, Json, str, datetime | None, str], None]]] = {
    "questionCarousel": ask_questions,
    "confirmation": confirm,
    "elicitation2": confirm,
    "elicitationSerialized": confirm,
    "planReview": review_plan,
}
