"""Finds the secrets in a text, and shows each as `[redacted: kind]`.

    text ─► candidates (shapes that secrets have, 1 µs a message) ─► windows around them ─► redact-secret ─► masked text

The library knows the formats of some 180 kinds of credentials and distinguishes placeholders (`your_api_key_here`) from
keys. It takes 12 µs a call and 20 ns a byte, and quadratic time for some texts. So it reads only windows of a bounded size around
candidates. Most conversations have no candidate and never load it.

Rules: a text keeps its number of lines; a text without secrets is returned as it is; masking a masked text changes nothing.
A value without a marker of its own, such as `password = "…"` in code, stays, because rules for it would also match identifiers
and examples.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from redact_secret import Finding

#: The beginning of every masked secret.
MARK: Final = "[redacted: "

#: The library's types that have a name of their own here; the others are named by `_kind`.
_KINDS: Final = {
    "aws_access_key_id": "AWS access key",
    "aws_secret_access_key": "AWS secret key",
    "github_fine_grained_personal_access_token": "GitHub token",
    "openai_api_key": "OpenAI API key",
    "huggingface_token": "Hugging Face token",
    "connection_string_password": "password in a URL",
    "contextual_secret": "secret in a variable",
    "stripe_credential": "Stripe key",
    "jwt": "JSON Web Token",
    "pypi_api_token": "PyPI token",
    "npm_access_token": "npm token",
    "sendgrid_api_key": "SendGrid API key",
}
#: Words of other types that are not written in lower case.
_WORDS: Final = {"github": "GitHub", "gitlab": "GitLab", "docker": "Docker", "google": "Google", "slack": "Slack"} | {
    "anthropic": "Anthropic", "telegram": "Telegram", "discord": "Discord", "api": "API", "oauth": "OAuth", "url": "URL",
}  # fmt: skip

_KEY_BEGIN: Final = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
#: Shapes of secrets that are rare in prose and code, by a character and a literal that they contain. A search for a character is
#: ten times as fast as a search for a literal, which is ten times as fast as a search for a shape without a literal beginning.
#: Ids of calls and messages (`toolu_01…`) have one of the shapes. The shapes match in JSON too, where a quote is two characters.
_CANDIDATES: Final[Mapping[str, Sequence[tuple[str, re.Pattern[str]]]]] = {
    "_": (
        ("_", re.compile(r"_(?:(?<=pat_)[\w-]{16}|(?<!toolu_)(?<!call_)(?<!msg_)[A-Za-z0-9]{16})")),
        ("ccess_key", re.compile(r"ccess_key\W{1,8}[A-Za-z0-9/+]{40}")),
    ),
    "-": (("-", re.compile(r"-(?:[A-Za-z0-9_]{16}|(?:(?<=sk-)|(?<=gl[a-z]{3}-))[\w-]{16})")),),
    "=": (
        (
            "=",
            re.compile(
                r"=(?:(?<=KEY=)|(?<=Key=)|(?<=TOKEN=)|(?<=SECRET=)|(?<=PASSWORD=))\\?[\"']?[\w/+.-]{8}"
            ),
        ),
    ),
    "@": (("://", re.compile(r"://[^\s/@]{1,256}@")),),
    "A": ((":AA", re.compile(r":AA[\w-]{30}")),),
    "B": (("Bearer ", re.compile(r"Bearer [\w.~+/-]{16}")),),
    "T": (("hooks.slack.com/services/T", re.compile(r"hooks\.slack\.com/services/T")),),
    "K": (
        ("AKIA", re.compile(r"AKIA[A-Z0-9]{16}")),
        ("ccessKey", re.compile(r"ccessKey\W{1,8}[A-Za-z0-9/+]{40}")),
        ("ACCESS_KEY", re.compile(r"ACCESS_KEY\W{1,8}[A-Za-z0-9/+]{40}")),
        ("PRIVATE KEY", _KEY_BEGIN),
    ),
    "I": (
        ("ASIA", re.compile(r"ASIA[A-Z0-9]{16}")),
        ("AIza", re.compile(r"AIza[\w-]{20}")),
    ),
    "J": (("eyJ", re.compile(r"eyJ[\w-]{10,500}\.")),),
    "G": (("SG.", re.compile(r"SG\.[\w-]{16}")),),
}
#: Types whose value has no marker: the name before it identifies it.
_NAMED: Final = frozenset(
    {"connection_string_password", "aws_secret_access_key", "bearer_token", "contextual_secret"}
)
#: Placeholders for passwords in documents that the library does not know.
_PLACEHOLDERS: Final = frozenset(["pass", "passwd", "pwd", "pw", "secret"])
#: The name of a variable before a value that the library recognises by its context alone.
_VARIABLE: Final = re.compile(r"(?:^|[^A-Za-z0-9_])[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD)=[\"']?\Z")
_VARIABLE_CHARS_MAX: Final = 100

#: Kinds of secrets that the library lacks; group 1 is the secret.
_OURS: Final = (
    ("Slack webhook", re.compile(r"hooks\.slack\.com/services/(T\w{6,20}/B\w{6,20}/\w{16,40})")),
    ("Azure storage key", re.compile(r"AccountKey=([A-Za-z0-9+/]{86}==)")),
)
#: Private keys are found here and not by the library, because a key in an output that was cut has no last line.
_KEY_END: Final = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/=\s\\:,.()>|\"'-]*")
_KEY_CHARS: Final = re.compile(r"[A-Za-z0-9+/]{16}")
_KEY_LINES: Final = re.compile(r"(?:(?:[ \t>|\n]|\\[nr]){0,64}[A-Za-z0-9+/=]{16,})+")
#: Characters of a private key; a key of 16,384 bits has 13,000.
_KEY_CHARS_MAX: Final = 32 * 1024

#: Characters that the library reads at a time: the line of a candidate, or a part of a longer line around it.
_WINDOW_CHARS: Final = 4096
_BEFORE_CHARS: Final = 256
#: Characters by which two windows in a long line overlap, because the end of a window may cut a secret.
_OVERLAP_CHARS: Final = 1024
#: Passes over a text: the text that remains around a masked secret can have the shape of another one.
_PASSES_MAX: Final = 4
_REST: Final = re.compile(r"[\w.+/=-]*", re.ASCII)
_INDENT: Final = re.compile(r"[ \t>]*")


class _Secret(NamedTuple):
    """A range of a text, and the kind that is shown instead."""

    start: int
    end: int
    kind: str


def may_hold_secrets(text: str) -> bool:
    """False if no part of a text, or of its JSON, has the shape of a secret."""
    for char, shapes in _CANDIDATES.items():
        if char in text:
            for literal, shape in shapes:
                if literal in text and shape.search(text) is not None:
                    return True
    return False


def masked(text: str) -> tuple[str, int]:
    """The text with `[redacted: kind]` for each secret, and the number of secrets. The number of lines stays."""
    shown = text
    for _ in range(_PASSES_MAX):
        secrets = _found(shown) if may_hold_secrets(shown) else []
        if not secrets:
            break
        shown = _with_marks(shown, secrets)
    return (text, 0) if shown is text else (shown, shown.count(MARK) - text.count(MARK))


def _with_marks(text: str, secrets: Sequence["_Secret"]) -> str:
    parts, at = [], 0
    for one in secrets:
        parts += [text[at : one.start], f"{MARK}{one.kind}]"]
        lines = text[one.start : one.end].split("\n")[1:]
        # The other lines of a key stay lines of the list, quote or code that contains them.
        parts += [f"\n{_indent(line)}…" if line.strip() else "\n" for line in lines]
        at = one.end
    return "".join([*parts, text[at:]])


def count_marks(part: str, at_most: int) -> int:
    """The number of masked secrets in a part of a text, at most `at_most`."""
    return min(at_most, part.count(MARK))


def masked_value(value: Any) -> tuple[Any, int]:
    """A JSON value with its texts masked, and the number of secrets. Keys stay."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        pairs = {key: masked_value(inner) for key, inner in value.items()}
        count = sum(one[1] for one in pairs.values())
        return ({key: one[0] for key, one in pairs.items()} if count else value), count
    if isinstance(value, list):
        items = [masked_value(inner) for inner in value]
        count = sum(one[1] for one in items)
        return ([one[0] for one in items] if count else value), count
    return value, 0


def masked_lines(lines: bytes) -> tuple[bytes, int]:
    """Events as JSON lines, masked. A line without secrets keeps its bytes."""
    if not may_hold_secrets(lines.decode()):
        return lines, 0
    parts, total = [], 0
    for line in lines.splitlines(keepends=True):
        value, count = (
            masked_value(msgspec.json.decode(line)) if may_hold_secrets(line.decode()) else (None, 0)
        )
        parts.append(msgspec.json.encode(value) + b"\n" if count else line)
        total += count
    return b"".join(parts), total


def _indent(line: str) -> str:
    found = _INDENT.match(line)
    return "" if found is None else found[0]


# --- What is found --------------------------------------------------------------------------------------


def _found(text: str) -> list[_Secret]:
    """The secrets of a text in their order; ranges that overlap are one."""
    secrets = sorted([*_private_keys(text), *_ours(text), *_theirs(text)])
    joined: list[_Secret] = []
    for one in secrets:
        if joined and one.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = last._replace(end=max(last.end, one.end))
        else:
            joined.append(one)
    return joined


def _private_keys(text: str) -> Iterator[_Secret]:
    """Private keys: from the first line of a key to its last one, or over the rows that a cut left."""
    for begin in _KEY_BEGIN.finditer(text):
        limit = begin.end() + _KEY_CHARS_MAX
        dashes = text.find("-----", begin.end(), limit)
        end = None if dashes < 0 else _KEY_END.match(text, dashes)
        if end is None:
            rows = _KEY_LINES.match(text, begin.end(), limit)
            if rows is not None:
                yield _Secret(begin.start(), rows.end(), "private key")
        elif _KEY_BODY.fullmatch(text, begin.end(), dashes) and _KEY_CHARS.search(text, begin.end(), dashes):
            yield _Secret(begin.start(), end.end(), "private key")


def _ours(text: str) -> Iterator[_Secret]:
    for kind, shape in _OURS:
        for found in shape.finditer(text):
            yield _Secret(*found.span(1), kind)


def _theirs(text: str) -> Iterator[_Secret]:
    """The secrets that the library finds around candidates."""
    for window, candidates in _windows(text):
        part = text[window.start : window.stop]
        for finding in _scan()(part):
            start, end = window.start + finding.start, window.start + finding.end
            if not _is_meant(text, finding, start, end, candidates):
                continue
            if end == window.stop:  # the rest of a token that is longer than the window
                rest = _REST.match(text, end)
                end = end if rest is None else rest.end()
            yield _Secret(start, end, _kind(finding.type))


def _windows(text: str) -> Iterator[tuple[range, list[int]]]:
    """Ranges of a text of at most `_WINDOW_CHARS`, each with the places of the candidates in it."""
    shapes = [shape for char, some in _CANDIDATES.items() if char in text for _, shape in some]
    found = {one.start() for shape in shapes if shape is not _KEY_BEGIN for one in shape.finditer(text)}
    places = sorted(found)
    at = 0
    while at < len(places):
        begin = text.rfind("\n", max(0, places[at] - _BEFORE_CHARS), places[at]) + 1
        begin = begin or max(0, places[at] - _BEFORE_CHARS)
        end = text.find("\n", places[at], begin + _WINDOW_CHARS)
        is_line = end >= 0
        end = end if is_line else min(len(text), begin + _WINDOW_CHARS)
        inside = [place for place in places[at : at + _WINDOW_CHARS] if place < end]
        yield range(begin, end), inside
        again = end if is_line or end == len(text) else end - _OVERLAP_CHARS
        at += max(1, sum(place < again for place in inside))


def _is_meant(text: str, finding: "Finding", start: int, end: int, candidates: list[int]) -> bool:
    """True for a secret that has a marker in itself, or a name before it."""
    if finding.action not in ("redact", "block") or finding.type == "private_key":
        return False
    if finding.type == "contextual_secret":
        before = text[max(0, start - _VARIABLE_CHARS_MAX) : start]
        is_masked = MARK in text[start : end + len(MARK)]
        return not is_masked and _VARIABLE.search(before) is not None
    if text[start:end].lower() in _PLACEHOLDERS:
        return False
    return finding.type in _NAMED or any(start <= place < end for place in candidates)


def _kind(type_: str) -> str:
    return _KINDS.get(type_) or " ".join(_WORDS.get(word, word) for word in type_.split("_"))


@cache
def _scan() -> Any:
    from redact_secret import scan  # noqa: PLC0415 - 2 MB and 15 ms, for conversations that may hold secrets

    return scan
