"""Edits JSON as text: comments, order, indentation and trailing commas of the user's stay.

A document is parsed into nodes with their places in the text; an edit cuts or inserts text at these places. Each edit is checked:
the values of the new text are those of the old one with the change, or NotUnderstood is raised and nothing comes of it.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from kato.channels.configuration.errors import NotUnderstood

_BLANK: Final = re.compile(r"(?:[\ufeff\s]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LITERAL: Final = re.compile(r"[-+.\w]+")
#: What follows a value on its line and belongs to it.
_REST_OF_LINE: Final = re.compile(r"[^\S\n]*(?://[^\n]*|/\*[^\n]*?\*/)?")
_DEPTH_MAX: Final = 100


class Node(NamedTuple):
    """A value of the document, in `text[start:end]`. `members` are those of an object, `items` those of an array."""

    start: int
    end: int
    value: Any
    members: "dict[str, Member]"
    items: "list[Node]"


class Member(NamedTuple):
    """A member of an object, from its key on."""

    start: int
    node: Node


class _Span(NamedTuple):
    """A part of an object or an array: a member or an item."""

    start: int
    end: int


def value_of(text: str) -> Any:
    """The document's value; an empty one is an empty object. Raises NotUnderstood."""
    return _parse(text).value


def set_member(text: str, path: Sequence[str], value: Any) -> str:
    """The document with a value at a path of names. Objects that are missing are made."""
    expected = _with(value_of(text), path, value)
    return _checked(_set_member(_with_root(text), path, value), expected)


def remove_member(text: str, path: Sequence[str]) -> str:
    """The document without the member at a path, and without the objects and arrays that are empty then."""
    names = list(path)
    while names:
        node = _find(_parse(text), names)
        if node is None:
            return text
        parent = _find(_parse(text), names[:-1])
        assert parent is not None
        expected = _with(value_of(text), names, _REMOVED)
        spans = [_Span(one.start, one.node.end) for one in parent.members.values()]
        text = _checked(_cut(text, parent, spans, list(parent.members).index(names[-1])), expected)
        names.pop()
        left = _find(_parse(text), names)
        if not names or left is None or left.value:
            break
    return text


def append_item(text: str, path: Sequence[str], value: Any) -> str:
    """The document with one more item in the array at a path, which is made where it is missing."""
    text = _with_root(text)
    node = _find(_parse(text), path)
    if node is None:
        return set_member(text, path, [value])
    if not isinstance(node.value, list):
        raise NotUnderstood(f"{'.'.join(path)} is not a list")
    expected = _with(value_of(text), path, [*node.value, value])
    spans = [_Span(one.start, one.end) for one in node.items]
    return _checked(_insert(text, node, spans, lambda indent: _shown(text, value, indent)), expected)


def remove_items(text: str, path: Sequence[str], is_wanted: Callable[[Any], bool]) -> str:
    """The document without the items of an array that are wanted, and without what is empty then."""
    while True:
        node = _find(_parse(text), path)
        if node is None or not isinstance(node.value, list):
            return text
        index = next((number for number, one in enumerate(node.items) if is_wanted(one.value)), None)
        if index is None:
            return text
        if len(node.items) == 1:
            return remove_member(text, path)
        expected = _with(value_of(text), path, [one for n, one in enumerate(node.value) if n != index])
        spans = [_Span(one.start, one.end) for one in node.items]
        text = _checked(_cut(text, node, spans, index), expected)


# --- Editing ----------------------------------------------------------------------------------------------


def _with_root(text: str) -> str:
    return text if text.strip("\ufeff \t\r\n") else "{}\n"


def _set_member(text: str, path: Sequence[str], value: Any) -> str:
    node, depth = _parse(text), 0
    while depth < len(path) and path[depth] in node.members:
        node = node.members[path[depth]].node
        depth += 1
    if depth == len(path):
        return text[: node.start] + _shown(text, value, _indent_at(text, node.start)) + text[node.end :]
    if not isinstance(node.value, dict):
        raise NotUnderstood(f"{'.'.join(path[:depth]) or 'the file'} is not an object")
    for name in reversed(path[depth + 1 :]):
        value = {name: value}
    spans = [_Span(one.start, one.node.end) for one in node.members.values()]
    key = json.dumps(path[depth], ensure_ascii=False)
    return _insert(text, node, spans, lambda indent: f"{key}: {_shown(text, value, indent)}")


def _insert(text: str, node: Node, spans: Sequence[_Span], shown: Callable[[str], str]) -> str:
    """Adds a part at the end of an object or an array, on a line of its own unless the whole stands on one line."""
    newline = _newline(text)
    outer = _indent_at(text, node.start)
    if not spans:
        inner = outer + _unit(text)
        kept = text[node.start + 1 : node.end - 1].rstrip()
        body = f"{kept}{newline}{inner}{shown(inner)}{newline}{outer}"
        return text[: node.start + 1] + body + text[node.end - 1 :]
    last = spans[-1]
    if "\n" not in text[node.start : node.end]:
        comma = "" if _comma_after(text, last.end) else ","
        at = _comma_after(text, last.end) or last.end
        return f"{text[:at]}{comma} {shown(outer)}{text[at:]}"
    inner = _indent_at(text, last.start)
    after_comma = _comma_after(text, last.end)
    at = _end_of_line(text, after_comma or last.end, node.end - 1)
    head = text[:at] if after_comma else text[: last.end] + "," + text[last.end : at]
    return f"{head}{newline}{inner}{shown(inner)}{',' if after_comma else ''}{text[at:]}"


def _cut(text: str, node: Node, spans: Sequence[_Span], index: int) -> str:
    """Removes a part of an object or an array, with its comma and what follows it on its line."""
    if len(spans) == 1:
        return text[: node.start + 1] + text[node.end - 1 :]
    own = spans[index]
    after_comma = _comma_after(text, own.end)
    end = _end_of_line(text, after_comma or own.end, node.end - 1)
    if index == 0:
        following = spans[1].start
        return text[: own.start] + text[following:]
    before = spans[index - 1]
    start = _end_of_line(text, _comma_after(text, before.end) or before.end, own.start)
    head = text[:start]
    if after_comma is None:  # the part before is the last one now
        comma = _comma_after(text, before.end)
        assert comma is not None
        head = text[: comma - 1] + text[comma:start]
    return head + text[end:]


def _comma_after(text: str, at: int) -> int | None:
    """The offset after the comma that follows a part; None where none does."""
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end() + 1 if text[found.end() : found.end() + 1] == "," else None


def _end_of_line(text: str, at: int, end: int) -> int:
    found = _REST_OF_LINE.match(text, at, end)
    assert found is not None
    rest = found.end()
    return rest if text[rest : rest + 1] in ("\n", "\r", "") else at


def _shown(text: str, value: Any, indent: str) -> str:
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return (_newline(text) + indent).join(lines)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _unit(text: str) -> str:
    """One step of indentation."""
    found = re.search(r'\n([ \t]+)"', text)
    return found[1] if found is not None else "  "


def _indent_at(text: str, at: int) -> str:
    """The white space at the beginning of the line of an offset."""
    start = text.rfind("\n", 0, at) + 1
    return text[start : start + len(text[start:at]) - len(text[start:at].lstrip(" \t"))]


# --- Checking ---------------------------------------------------------------------------------------------

_REMOVED: Final = object()


def _checked(text: str, expected: Any) -> str:
    if value_of(text) != expected:
        raise NotUnderstood("the file is written in a way that Kato cannot edit safely")
    return text


def _with(value: Any, path: Sequence[str], new: Any) -> Any:
    """A value with another one at a path."""
    if not path:
        return new
    if not isinstance(value, dict):
        raise NotUnderstood(f"the value that must contain {path[0]} is not an object")
    changed = dict(value)
    if len(path) == 1 and new is _REMOVED:
        changed.pop(path[0], None)
        return changed
    changed[path[0]] = _with(value.get(path[0], {}), path[1:], new)
    return changed


def _find(node: Node, path: Sequence[str]) -> Node | None:
    for name in path:
        member = node.members.get(name)
        if member is None:
            return None
        node = member.node
    return node


# --- Parsing ----------------------------------------------------------------------------------------------


def _parse(text: str) -> Node:
    text = _with_root(text)
    node, end = _value(text, _skip(text, 0), 0)
    if _skip(text, end) != len(text):
        raise NotUnderstood(f"line {_line(text, end)}: something follows the end of the JSON document")
    if not isinstance(node.value, dict):
        raise NotUnderstood("the file does not hold a JSON object")
    return node


def _value(text: str, at: int, depth: int) -> tuple[Node, int]:
    if depth > _DEPTH_MAX:
        raise NotUnderstood("the JSON is nested too deep")
    first = text[at : at + 1]
    if first == "{":
        return _object(text, at, depth)
    if first == "[":
        return _array(text, at, depth)
    found = (_STRING if first == '"' else _LITERAL).match(text, at)
    try:
        value = json.loads(found[0] if found is not None else "")
    except ValueError:
        raise NotUnderstood(f"line {_line(text, at)}: not valid JSON") from None
    assert found is not None
    return Node(at, found.end(), value, {}, []), found.end()


def _object(text: str, start: int, depth: int) -> tuple[Node, int]:
    members: dict[str, Member] = {}
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        key = _STRING.match(text, at)
        colon = -1 if key is None else _skip(text, key.end())
        if key is None or text[colon : colon + 1] != ":":
            raise NotUnderstood(f"line {_line(text, at)}: expected a name and a colon")
        node, end = _value(text, _skip(text, colon + 1), depth + 1)
        name = json.loads(key[0])
        if name in members:
            raise NotUnderstood(f"line {_line(text, at)}: {name} stands twice")
        members[name] = Member(at, node)
        at = _after_part(text, end, "}")
    value = {name: one.node.value for name, one in members.items()}
    return Node(start, at + 1, value, members, []), at + 1


def _array(text: str, start: int, depth: int) -> tuple[Node, int]:
    items: list[Node] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        node, end = _value(text, at, depth + 1)
        items.append(node)
        at = _after_part(text, end, "]")
    return Node(start, at + 1, [one.value for one in items], {}, items), at + 1


def _after_part(text: str, end: int, closing: str) -> int:
    at = _skip(text, end)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] != closing:
        raise NotUnderstood(f"line {_line(text, at)}: expected a comma or {closing}")
    return at


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
