"""Codex: whose words a message holds, and what proves that the user typed them.

Three records can hold an input, that is, what a client of Codex (the terminal, an editor's extension, the desktop app) sent: a
`user_message` event; from 0.147 on an `item_completed` with a `UserMessage`; and a message of the model's history, where
`content_item_kinds` (from 0.150 on) has the kind of each part. All other messages of the history with the role of a user are the
host's.

The user did not type all of an input: clients put their own text around the user's.

- Sections (headings or blocks of tags), then a line `## My request for Codex:` or `## My request:`, then the request: the text
  behind that line is the user's, whatever the names of the sections. If there are several such lines, a section or the request
  quotes one: the text behind the first is kept, and runs nothing. If the message begins with text that no client writes, the
  line is a quote of the user's, and nothing is cut away.
- The user's comments inside those sections (`Comment:` lines, annotations of an answer) are kept. They run nothing, because it is
  not certain where they end.
- A block of tags (`proof.host_block`), a section without a request, or a second text part makes the input doubtful.
- A part of another kind than the user's (`user.heartbeat`, which a schedule sends) is not typed, even if an event repeats it.

If a log has no user events at all, the same rules apply to messages of the history that have no kinds. If it has user events, or a
spoken conversation, a message of the history without an event and without kinds was not typed. What was spoken is the user's
message, and runs nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kato.assistants.codex.envelopes import envelope_of
from kato.assistants.codex.sections import file_names, json_objects, own_words
from kato.assistants.proof import host_block
from kato.assistants.values import text_of
from kato.core.lenient_json import loads
from kato.core.text import with_newlines

#: Blocks around what others said: another thread, a schedule.
_FROM_OTHERS: Final = frozenset(["heartbeat", "codex_delegation"])

_MARKER: Final = re.compile(r"^## My request(?: for Codex)?:[ \t]*", re.MULTILINE)
#: How the text in front of a request begins: a heading with a colon, a tag, JSON, a known sentence.
_OPENER: Final = re.compile(r"\s*(?:#{1,3} [^\n]*:|<[A-Za-z]|[{\[]|The attached pasted text file)")
#: How a section begins.
_SECTION: Final = re.compile(r"\s*(?:#{1,2} [^\n]*:[ \t]*(?:\n|\Z)|The attached pasted text file)")
#: In a thread that several people share: who sent the message.
_MEMBER: Final = re.compile(r"\s*\[from: ")

BEFORE_REQUEST: Final = (
    "it begins like text that a client puts in front of a request, and where the request begins is not known"
)
SEVERAL_REQUESTS: Final = "several lines of it could begin the request"
QUOTED_MARKER: Final = (
    "a line of it is what a client puts in front of a request, and which text is typed is not known"
)
OF_MEMBER: Final = "another member of the thread may have sent it"
IN_COMMENT: Final = "it stands in a comment on a text, and where the comment ends is not certain"
IN_PARTS: Final = "the message has several parts, and which of them is typed is not known"
LIKE_NOTICE: Final = "it begins like a text that Codex writes"
NOT_AN_INPUT: Final = "it does not stand among what was typed"
IN_GOAL: Final = "it is the objective of a goal, which the assistant may have set"


class Reply(NamedTuple):
    """The user's answer to a question that did not stop the turn; `call_id` is the call that asked it, or ""."""

    question: str
    answer: str
    call_id: str


class Words(NamedTuple):
    """The content of an input: the user's text with the reason why it may not be typed, a text of others, or answers."""

    kind: Literal["user", "host", "answers"]
    text: str
    doubt: str | None = None
    replies: Sequence[Reply] = ()


def closely(text: str) -> str:
    """A text's words without what lies between them: how parts and lines are joined differs by record."""
    return "".join(text.split())


def key_of(parts: Sequence[str]) -> str:
    """What the records that hold the same input have in common, however they cut it into parts."""
    text = "\n".join(parts)
    return closely(_shape(text).request) or closely(text)


def words_of(parts: Sequence[str]) -> Words:
    """The content of an input's text parts."""
    texts = [part for part in parts if part.strip()]
    shapes = [_shape(text) for text in texts]
    content = "\n\n".join(words for shape in shapes if (words := shape.words.strip("\n")).strip())
    if len(texts) == 1:
        replies = _replies(shapes[0].request)
        if replies:
            return Words("answers", content, replies=replies)
        if envelope_of(shapes[0].request) in _FROM_OTHERS:
            return Words("host", content)
    if "::" not in content:
        return Words("user", content)
    doubt = next((shape.doubt for shape in shapes if shape.doubt is not None), None)
    return Words("user", content, doubt or (IN_PARTS if len(texts) > 1 else None))


class _Shape(NamedTuple):
    """The user's words in a text part: comments on other texts, then the request; and why they may not be typed."""

    words: str
    request: str
    doubt: str | None


def _shape(text: str) -> _Shape:
    plain = with_newlines(text)
    doubt = OF_MEMBER if _MEMBER.match(plain) else None
    marker = _MARKER.search(plain)
    if marker is None:
        return _Shape(text, text, doubt or (BEFORE_REQUEST if _SECTION.match(plain) else _block(text)))
    if _OPENER.match(plain) is None:
        return _Shape(text, text, QUOTED_MARKER)
    sections, request = plain[: marker.start()], plain[marker.end() :].strip("\n")
    comments = "\n\n".join(own_words(sections))
    # The request goes first: a fence that a comment leaves open must not hide a line of it.
    words = "\n\n".join(part for part in (request, comments) if part.strip()) or file_names(sections)
    if _MARKER.search(plain, marker.end()) is not None:
        doubt = doubt or SEVERAL_REQUESTS
    return _Shape(words, request, doubt or (IN_COMMENT if "::" in comments else _block(request)))


def _block(text: str) -> str | None:
    name = host_block(text) if "::" in text else None
    return None if name is None else f"the message holds a block <{name[:40]}>, which may not be typed"


_REPLY: Final = ("<send_user_message_question_reply>", "</send_user_message_question_reply>")


def _replies(text: str) -> list[Reply]:
    """The answers of which a text is the client's envelope; none for any other text."""
    text = text.strip()
    if not (text.startswith(_REPLY[0]) and text.endswith(_REPLY[1])):
        return []
    found = []
    for one in json_objects(text[len(_REPLY[0]) : -len(_REPLY[1])]):
        answer = text_of(one, "answer")
        if answer and answer.strip():
            identity = _parsed(text_of(one, "questionItemId") or "")
            call_id = identity[1] if isinstance(identity, list) and len(identity) > 1 else ""
            call_id = call_id if isinstance(call_id, str) else ""
            found.append(Reply(text_of(one, "question") or "", answer.strip(), call_id))
    return found


def _parsed(text: str) -> object:
    try:
        return loads(text.encode(errors="replace"))
    except ValueError:
        return None
