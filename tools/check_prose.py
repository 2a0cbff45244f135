"""Checks the language of documents, docstrings, comments and messages: plain technical English, one term for one concept.

`python tools/check_prose.py [FILE …]` prints a line for each finding and ends with 1 if there are any. Without files it
reads everything that people read: Markdown files, and the docstrings, comments and string literals of Python and
TypeScript. The rules are a small list of constructions that made earlier texts hard to read; docs/glossary.md has the
terms to use instead.
"""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
#: Texts of others, and the rules themselves.
NOT_READ: Final = (
    "LICENSE",
    "requirements/",
    "tools/check_prose.py",
    "tests/test_prose.py",
    "package-lock.json",
    ".github/",
)


class Rule(NamedTuple):
    """A construction, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


def _rule(pattern: str, instead: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), instead)


RULES: Final = (
    _rule(r"(?<!there )(?<!which )\b(?:is|are|was|were) no (?!(?:longer|more|less|fewer|other|better|worse|later|earlier|larger|such|one|good)\b)\w+", '"is not a …", "has no …" or "invalid …"'),
    _rule(r"\banew\b", '"again"'),
    _rule(r"\blet(?:s|ting)? go\b(?! (?:on|back|to|through|ahead|into)\b)|\bis let go\b", '"releases", "removes"'),
    _rule(r"\b(?:nobody|somebody|anybody|whoever)\b", "name the actor: the user, the client, no process"),
    _rule(r"\bat once\b", '"immediately" or "together"'),
    _rule(r"\bbesides?\b(?! the| this)|\bbeside\b", '"next to", "in addition to", "in the background"'),
    _rule(r"\b(?:hears?|heard|hearing)\b", '"receives", "is notified of"'),
    _rule(r"\b(?:told|tells?|telling)\b(?! apart)", '"emits", "logs", "reports", "notifies", "shows", "distinguishes"'),
    _rule(r"\bsays? so\b|\b(?:is|are) said (?:of|to)\b", '"reports", "shows", "names"'),
    _rule(r"(?-i:(?:^|\n\s*(?:[-*] )?|[.:;(] +|#:? |\"{3})Of (?!course\b))[^.,;:]{1,90}, ", "actor, verb, object: do not front the genitive"),
    _rule(r"(?-i:(?:^|\n\s*(?:[-*] )?|[.:;(] +|#:? |\"{3})Of (?:everything|what|all|each|an?|the|those|these|several|more|many|two|both)\b)", "actor, verb, object: do not front the genitive"),
    _rule(r"(?:^|\n\s*|[.:;,(] +|#:? |\"{3})so (?:much|many|long|often|deep)\b(?! as\b| that\b)", "name the figure: at most N bytes, every N seconds"),
    _rule(r"^test of ", "actor, verb, object: do not front the genitive"),
    _rule(r"\b(?:is|are|was|were) (?:waited for|passed over|looked (?:at|for)|spoken to|lied)\b", "active voice: Kato waits for, skips, checks, searches"),
    _rule(r"\bthat is all\b|\bso be it\b|\bcome what may\b", "state the guarantee and its limits"),
)  # fmt: skip

#: A line break within a paragraph, with the indentation and the mark of a comment.
_BREAK: Final = re.compile(r"(?<!\n)\n[ \t]*(?:(?:#:?|//|\*|>)[ \t]?)?(?=\w|`|\()")
_CODE: Final = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`", re.DOTALL)


def _python_texts(source: str, *, with_messages: bool) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and the names of functions; with messages, also string literals of several words."""
    last, comment, first = "", "", 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if not comment:
                first = token.start[0]
            comment += f"{token.string}\n"
            continue
        if comment and token.type != tokenize.NL:
            yield first, comment
            comment = ""
        elif token.type == tokenize.STRING:
            if '"""' in token.string[:4] or (with_messages and token.string.count(" ") > 1):
                yield token.start[0], token.string
        elif token.type == tokenize.NAME:
            if last == "def":
                yield token.start[0], token.string.replace("_", " ")
            last = token.string


class Finding(NamedTuple):
    """A place, the words and the rule's advice."""

    path: Path
    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: “{self.words}”: write {self.instead}"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What people read in a file, in pieces with the number of the first line."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield 1, _CODE.sub(lambda found: "\n" * found[0].count("\n"), source)
    elif path.suffix == ".py":
        yield from _python_texts(source, with_messages="server/kato" in path.as_posix())
    else:
        for found in re.finditer(r"/\*.*?\*/|//[^\n]*", source, re.DOTALL):
            yield source.count("\n", 0, found.start()) + 1, found[0]


def findings(path: Path) -> Iterator[Finding]:
    """What in a file breaks a rule."""
    for first, text in texts(path):
        flat = _BREAK.sub(lambda found: " " * len(found[0]), text)
        for rule in RULES:
            for found in rule.pattern.finditer(flat):
                line = first + text.count("\n", 0, found.start())
                yield Finding(path, line, " ".join(found[0].split())[:60], rule.instead)


def main(arguments: list[str]) -> int:
    """Checks the named files, or all that are tracked."""
    if arguments:
        paths = [Path(one).resolve() for one in arguments]
    else:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        paths = [
            ROOT / one
            for one in listed.splitlines()
            if not one.startswith(NOT_READ) and not any(part in one for part in NOT_READ)
        ]
    found = [
        one
        for path in sorted(paths)
        if path.suffix in {".md", ".py", ".ts"} and path.exists()
        for one in findings(path)
    ]
    for one in found:
        print(one)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
