"""What editors show of a note, as the values of LSP's answers: made of an outline, and of what the journal knows. Pure.

documentSymbol    turn ─► replies ─► headings and folded blocks
foldingRange      the frontmatter, and each of these
documentLink      the session, the conversation's folder, files that it names
codeLens          `Recording, 3 min ago`, `Stop`, `Update`
hover             on the heading of a turn or a reply: who, when, which model, how many tokens, which conversation
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from kato.core.commands import BY_NAME, CommandName
from kato.core.events import SessionKey
from kato.core.moments import ago
from kato.core.records import SessionRecord
from kato.engine import NoteState
from kato.notes.headings import SYSTEM, USER
from kato.notes.markup import code_span, literal
from kato.notes.outline import Kind, Outline, Place, Section

Json = dict[str, Any]

#: Kinds of symbols (LSP): Event, Method, String, Function.
_SYMBOL_KINDS: Final[dict[Kind, int]] = {"turn": 24, "reply": 6, "heading": 15, "block": 12}


#: The speaker of replies whose model is not known.
_UNKNOWN: Final = "Assistant"


# --- Symbols and folding ----------------------------------------------------------------------------------


def symbols(outline: Outline) -> list[Json]:
    """The answer to `textDocument/documentSymbol`."""
    return [_symbol(one) for one in outline.sections]


def flat_symbols(outline: Outline, uri: str) -> list[Json]:
    """The same for a client that does not take symbols in symbols."""
    return [
        {
            "name": name_of(one),
            "kind": _SYMBOL_KINDS[one.kind],
            "location": {"uri": uri, "range": _range(one)},
            **({} if within is None else {"containerName": name_of(within)}),
        }
        for one, within in _each(outline.sections)
    ]


def _each(
    sections: Sequence[Section], within: Section | None = None
) -> Iterator[tuple[Section, Section | None]]:
    for one in sections:
        yield one, within
        yield from _each(one.children, one)


def _symbol(one: Section) -> Json:
    first = {"start": {"line": one.line, "character": 0}, "end": {"line": one.line, "character": one.width}}
    symbol = {
        "name": name_of(one),
        "kind": _SYMBOL_KINDS[one.kind],
        "range": _range(one),
        "selectionRange": first,
    }
    if one.time:
        symbol["detail"] = when(one)
    if one.children:
        symbol["children"] = [_symbol(child) for child in one.children]
    return symbol


def _range(one: Section) -> Json:
    end = {"line": one.end, "character": one.end_width}
    return {"start": {"line": one.line, "character": 0}, "end": end}


def name_of(one: Section) -> str:
    """A section in an outline: `You, 16:09: first words`, `claude-opus-4, 16:10`, a heading's or a block's first line."""
    if not one.time:
        return one.title or "(no title)"
    words = f": {one.words}" if one.words else ""
    return f"{_speaker(one)}, {one.time[:5]}{words}"


def _speaker(one: Section) -> str:
    return "You" if one.title == USER else one.title


def when(one: Section) -> str:
    """`2026-02-25 16:09:20`, as far as the heading says it."""
    return f"{one.day} {one.time}".strip()


def folds(outline: Outline, count_max: int | None) -> list[Json]:
    """The answer to `textDocument/foldingRange`. Leaves out the innermost ones beyond `count_max`."""
    found = [(0, {"startLine": 0, "endLine": outline.head.last_line, "kind": "region"})]
    found += _folds(outline.sections, 1)
    if count_max is not None and len(found) > count_max:
        found = sorted(found, key=lambda one: one[0])[:count_max]
    return sorted((fold for _, fold in found), key=lambda fold: fold["startLine"])


def _folds(sections: Sequence[Section], depth: int) -> Iterator[tuple[int, Json]]:
    for one in sections:
        if one.end > one.line:
            fold: Json = {"startLine": one.line, "endLine": one.end}
            yield depth, fold | ({"kind": "region"} if one.kind == "block" else {})
        yield from _folds(one.children, depth + 1)


# --- Links ------------------------------------------------------------------------------------------------


def _range_of(place: Place) -> Json:
    at = {"line": place.line}
    return {"start": at | {"character": place.start}, "end": at | {"character": place.end}}


def session_link(outline: Outline) -> Json:
    """The link at the session's id. Its target is found when it is followed."""
    return {
        "range": _range_of(outline.session),
        "tooltip": "the session's log",
        "data": session_data(outline.head.key),
    }


def session_data(key: SessionKey) -> Json:
    """A session, as the arguments of commands and the data of links name it."""
    return {"provider": key.provider, "sessionId": key.session_id}


def file_link(place: Place, uri: str) -> Json:
    """A link to a file that exists."""
    return {"range": _range_of(place), "target": uri}


# --- Code lenses ------------------------------------------------------------------------------------------


def state_title(state: NoteState, updated: int | None, now_ms: int) -> str:
    """`recording, 3 min ago`. `updated` is when the note was written according to its frontmatter."""
    since = state.since if state.since is not None else updated
    age = "" if since is None else f", {ago(now_ms - since)}"
    return "recording is paused" if state.kind == "paused" else f"{state.kind}{age}"


def as_label(title: str) -> str:
    """A text that is shown on its own, as labels are written."""
    return title[:1].upper() + title[1:]


def lenses(outline: Outline, path: str, state: NoteState) -> list[Json]:
    """The answer to `textDocument/codeLens`. The first lens shows the state; the client resolves it when it is shown."""
    session = session_data(outline.head.key)
    shown = [{"data": session | {"path": path}}]
    if state.kind != "captured":
        shown.append({"command": _command("Stop", "stop", session)})
    shown.append({"command": _command("Update", "export", session | {"path": path, "format": "markdown"})})
    beginning = {"line": 0, "character": 0}
    return [{"range": {"start": beginning, "end": beginning}, **lens} for lens in shown]


def _command(title: str, name: CommandName, argument: Json) -> Json:
    return {"title": title, "command": BY_NAME[name].editor_name, "arguments": [argument]}


# --- Hover ------------------------------------------------------------------------------------------------


def hover(
    outline: Outline,
    line: int,
    session: SessionRecord | None,
    assistant: str,
    state: str,
    tokens: int | None,
) -> Json | None:
    """The answer to `textDocument/hover`: None away from the headings of turns and replies. `assistant` is the assistant's name
    for people, `session` what the journal knows of the conversation, `tokens` what its log states.
    """
    found = outline.speaker_at(line)
    if not found:
        return None
    one = found[-1]
    lines = [f"**{literal(_speaker(one))}**, {when(one)}", *_about(outline, found)]
    head = outline.head
    title = head.one("title") or (session and (session.title or session.snippet)) or ""
    lines.append(f"Conversation: {literal(title)}" if title else "")
    lines.append(f"Session: {literal(assistant)} {code_span(head.key.session_id)}, {state}")
    lines.append("" if tokens is None else f"Tokens of the conversation: {tokens:,}")
    start = {"line": one.line, "character": 0}
    return {
        "contents": {"kind": "markdown", "value": "\n\n".join(filter(None, lines))},
        "range": {"start": start, "end": {"line": one.line, "character": one.width}},
    }


def _about(outline: Outline, found: Sequence[Section]) -> Iterator[str]:
    """Which turn it is, and which models answered."""
    one = found[-1]
    if one.kind == "reply" and one.title not in (SYSTEM, _UNKNOWN):
        yield f"Model: {literal(one.title)}"
    turns = [turn for turn in outline.sections if turn.kind == "turn"]
    if found[0].kind != "turn":
        return
    number = next(at for at, turn in enumerate(turns, start=1) if turn is found[0])
    replies = [reply for reply in found[0].children if reply.kind == "reply"]
    models = list(dict.fromkeys(one.title for one in replies if one.title not in (SYSTEM, _UNKNOWN)))
    answered = f", answered by {literal(', '.join(models))}" if models and one.kind == "turn" else ""
    yield f"Turn {number:,} of {len(turns):,}{answered}"
