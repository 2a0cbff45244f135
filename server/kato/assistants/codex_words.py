"""Codex: whose words stand in a message, and what proves that the user typed them.

What a client of Codex (the terminal, an editor's extension, the desktop app) sent as the user's input stands in a
`user_message` event, from 0.147 on in an `item_completed` with a `UserMessage`, and once more in the model's history, where
`content_item_kinds` (from 0.150 on) says what each part is. Everything else in the history with the role of a user is the host's.

An input is not all typed: clients put their own text around what was.

- Sections (headings or blocks of tags), then a line `## My request for Codex:` or `## My request:`, then the request:
  what follows that line is the user's, whatever the sections are called. Where there are several such lines, a section or the
  request quotes one: what follows the first is kept, and runs nothing. Behind a beginning that no client writes, the line is a
  quote of the user's: nothing is cut away.
- The user's comments inside those sections (`Comment:` lines, annotations of an answer) are kept. They run nothing: which
  line ends them is not certain.
- Any block of tags (`proof.host_block`), a section without a request and a further text part make the input doubtful.
- A part whose kind is none of the user's (a schedule's, `user.heartbeat`) is not typed, also where an event repeats it.

A text of the history for which neither an event nor a kind speaks is judged by the same rules, if the log has no events
of the user's at all. In a log that has them, such a text was not typed.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kato.assistants.contract import Json
from kato.assistants.proof import host_block
from kato.assistants.values import object_of, objects_of, placeholder, text_of
from kato.core.lenient_json import loads
from kato.core.text import next_fence, one_line, with_newlines

#: Blocks of the model's history that Codex writes around text that is not the user's.
_ENVELOPES: Final = frozenset(
    """environment_context user_instructions permissions turn_aborted skill user_shell_command subagent_notification
    instructions collaboration_mode skills_instructions personality_spec apps_instructions plugins_instructions hook_context
    hook_prompt recommended_plugins goal_context codex_internal_context user_action agent_message_board_notification
    next_prompt_suggestion application_context extension_context environments_instructions context_window
    model_switch multi_agent_mode realtime_conversation token_budget rollout_budget app-context
    startup_tool_prewarm""".split()
)
#: Additional context of a client: the name goes on with a key of its own.
_EXTERNAL: Final = "external_"
#: Blocks around what others said: another thread, a schedule.
_FROM_OTHERS: Final = frozenset(["heartbeat", "codex_delegation"])
_OPENING: Final = re.compile(r"\s*<([A-Za-z][\w.-]*)(?:[\s/][^<>]*)?>")
_AGENTS_MD: Final = "# agents.md instructions"
#: How sentences begin that Codex puts into the history without tags.
_NOTICES: Final = (
    "Warning: apply_patch was requested via ",
    "Warning: The maximum number of unified exec processes you can keep open is ",
    "Warning: Your account was flagged for ",
    "Here is a list of plugins that are available but not installed.",
)
_NOTICE: Final = re.compile(r"\s*(?:Warning:|# AGENTS\.md)", re.IGNORECASE)
#: What stands around a picture in the model's history.
_PICTURE_TAG: Final = re.compile(r"\s*</?(?:local_)?image(?:\s[^<>]*)?>\s*")

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
    """What an input says: the user's text with the reason why it may not be typed, the text of others, or answers."""

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
    """What the text parts of an input say."""
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
    comments = "\n\n".join(_own_words(sections))
    # The request goes first: a fence that a comment leaves open must not hide a line of it.
    words = "\n\n".join(part for part in (request, comments) if part.strip()) or _files(sections)
    if _MARKER.search(plain, marker.end()) is not None:
        doubt = doubt or SEVERAL_REQUESTS
    return _Shape(words, request, doubt or (IN_COMMENT if "::" in comments else _block(request)))


def _block(text: str) -> str | None:
    name = host_block(text) if "::" in text else None
    return None if name is None else f"the message holds a block <{name[:40]}>, which may not be typed"


# --- In front of a request ---------------------------------------------------------------------------

_HEADING: Final = re.compile(r"# [^\n]*:[ \t]*")
_ENTRY: Final = re.compile(r"## (?:User )?Comment \d")
_WHERE: Final = re.compile(r"(?:File|Lines?|Page|URL): *(.*)")
_ANNOTATIONS: Final = ("<response-annotations>", "</response-annotations>")
_QUOTE_CHARS_MAX: Final = 120


def _own_words(sections: str) -> list[str]:
    """What the user wrote in the sections in front of a request: annotations of answers and comments on texts."""
    own = []
    before, opened, rest = sections.partition(_ANNOTATIONS[0])
    inside, closed, behind = rest.rpartition(_ANNOTATIONS[1])
    if opened and closed:
        for one in _objects(inside):
            note = text_of(one, "annotation")
            if note and note.strip():
                own.append(_comment(note, [one_line(text_of(one, "text") or "", _QUOTE_CHARS_MAX)]))
        sections = before + behind
    return [*own, *_comments(sections)]


def _comment(text: str, about: Sequence[str]) -> str:
    """A comment and what it is on."""
    return f"{text.strip()}\n{placeholder('on', *about)}" if any(about) else text.strip()


def _comments(sections: str) -> list[str]:
    found: list[tuple[list[str], list[str]]] = []  # lines of a comment, and what it is on
    lines: list[str] | None = None
    where: list[str] = []
    is_entered = False
    for line in sections.split("\n"):
        if _HEADING.fullmatch(line):
            is_entered, lines, where = "comment" in line.lower(), None, []
        elif _ENTRY.match(line):
            lines, where = None, []
        elif lines is not None:
            lines.append(line)
        elif is_entered and line.startswith("Comment:"):
            lines = [line.removeprefix("Comment:")]
            found.append((lines, where))
        elif is_entered and (about := _WHERE.fullmatch(line)) is not None:
            where.append(about[1])
    texts = (("\n".join(lines), where) for lines, where in found)
    return [_comment(text, where) for text, where in texts if text.strip()]


def _files(sections: str) -> str:
    """The names of attached files, for a message that has no other words."""
    if not sections.lstrip().startswith("# Files mentioned by the user:"):
        return ""
    names = (line[3:].partition(": ")[0] for line in sections.split("\n") if line.startswith("## "))
    return "\n".join(placeholder("file", name) for name in names)


def _objects(text: str) -> list[Json]:
    """The objects of a JSON array, or a single one; none where it is not JSON."""
    try:
        value = loads(text.encode(errors="replace"))
    except ValueError:
        return []
    return objects_of({"all": value if isinstance(value, list) else [value]}, "all")


_REPLY: Final = ("<send_user_message_question_reply>", "</send_user_message_question_reply>")


def _replies(text: str) -> list[Reply]:
    """The answers of which a text is the client's envelope; none for any other text."""
    text = text.strip()
    if not (text.startswith(_REPLY[0]) and text.endswith(_REPLY[1])):
        return []
    found = []
    for one in _objects(text[len(_REPLY[0]) : -len(_REPLY[1])]):
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


# --- The model's history -----------------------------------------------------------------------------


def envelope_of(text: str) -> str | None:
    """The name, in lower case, of the block of tags that a text is; None for any other text."""
    opening = _OPENING.match(text)
    if opening is None:
        return None
    name, end = opening[1].lower(), text.rstrip()
    for closing in (f"</{name}>", f"</{name} instructions>"):
        if end[-len(closing) :].lower() == closing:
            return name
    return None


def is_hosts(text: str) -> bool:
    """Whether a text of the history is one that Codex writes."""
    start = text.lstrip()
    if start[: len(_AGENTS_MD)].lower() == _AGENTS_MD:
        return "<INSTRUCTIONS>" in text
    if start.startswith(_NOTICES):
        return True
    name = envelope_of(text)
    return name is not None and (name in _ENVELOPES or name.startswith(_EXTERNAL))


#: Kinds of content that are the user's; those of pictures and sounds have no text of theirs.
_TYPED_KINDS: Final = frozenset(["user.text", "user.answered_question"])
_MEDIA_KINDS: Final = frozenset(["user.image", "user.audio"])
_SCHEDULED: Final = "user.heartbeat"


class Input(NamedTuple):
    """A message of the history with the role of a user: its text parts, and who wrote them. `doubt` is why that may
    not be the user.
    """

    texts: list[str]
    author: Literal["user", "host", "unknown"]
    doubt: str | None = None


def input_of(item: Json, blocks: Sequence[Json]) -> Input:
    """What a message of the history says, without the parts that Codex writes."""
    texts = [text_of(block, "text") or "" for block in blocks]
    kinds = _kinds(item, len(blocks))
    if kinds is None:
        others = [text for text in texts if text.strip() and _PICTURE_TAG.fullmatch(text) is None]
        kept = [text for text in others if not is_hosts(text)]
        doubt = LIKE_NOTICE if any(_NOTICE.match(text) for text in kept) else None
        return Input(kept, "unknown", IN_PARTS if len(kept) < len(others) else doubt)
    parts = [
        (text, kind)
        for text, kind in zip(texts, kinds, strict=True)
        if text.strip() and kind not in _MEDIA_KINDS and _PICTURE_TAG.fullmatch(text) is None
    ]
    typed = [text for text, kind in parts if kind in _TYPED_KINDS]
    if typed or not parts:
        return Input(typed, "user")
    unknown = next((kind for _, kind in parts if kind.startswith("user.") and kind != _SCHEDULED), None)
    if unknown is None:
        return Input([text for text, _ in parts], "host")
    doubt = f"its kind is unknown to Kato ({unknown[:40]})"
    return Input([text for text, kind in parts if kind.startswith("user.")], "user", doubt)


def _kinds(item: Json, count: int) -> list[str] | None:
    """What each part of a message of the history is, where the log says so for each of them."""
    kinds = object_of(item, "internal_chat_message_metadata_passthrough").get("content_item_kinds")
    if not isinstance(kinds, list) or len(kinds) != count or not all(isinstance(one, str) for one in kinds):
        return None
    return kinds


_GOALS: Final = frozenset(["codex_internal_context", "goal_context"])
_OBJECTIVE: Final = re.compile(r"<((?:untrusted_)?objective)>")
_ESCAPES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


def objective_of(text: str) -> str | None:
    """The goal of which a host's text reminds the model."""
    opening = _OBJECTIVE.search(text) if envelope_of(text) in _GOALS else None
    if opening is None:
        return None
    words, closed, _ = text[opening.end() :].partition(f"</{opening[1]}>")
    for escape, char in _ESCAPES:
        words = words.replace(escape, char)
    return words.strip() or None if closed else None


# --- The assistant -----------------------------------------------------------------------------------

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
