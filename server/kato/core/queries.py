r"""Queries of a search: their grammar, and how their terms are found in a text.

    query   one or more terms; a message matches if it contains all of them
    term    a word, or a phrase in double quotes, each optionally followed by `*`, which matches any ending of the last word

Case, accents and punctuation make no difference: `snake_case` and "snake case" are the same phrase. A character of a script
that does not separate words by spaces (Chinese, Japanese, Thai, …) is a word of its own, so that any part of a text is found.

Rule: the index (SQLite's `unicode61` tokenizer over `indexed_text`) and `Query.find` agree on what a word is.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple, get_args

from msgspec import Struct

from kato.core import limits
from kato.core.errors import CommandRefused

#: Where a query looks: in what the user wrote, in what the assistant wrote, in tool calls and their results, or in everything,
#: thinking and system messages included.
SearchScope = Literal["user", "assistant", "tools", "all"]
SCOPES: Final[Sequence[SearchScope]] = get_args(SearchScope)

#: Characters that are words of their own: Thai and Lao, Myanmar, Khmer, kana, Han, Hangul.
_SINGLE: Final = (
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_IS_SINGLE: Final = re.compile(f"[{_SINGLE}]")
_SPACED: Final = re.compile(f"([{_SINGLE}])")
_TERM: Final = re.compile(r'"(?P<phrase>[^"]*)(?:"|\Z)(?P<any_end>\*?)|(?P<word>[^\s"]+)')
#: General categories whose characters belong to words; SQLite's tokenizer gets the same list.
WORD_CATEGORIES: Final = "L* N* Co Mn Mc"


class Span(NamedTuple):
    """A part of a text: from index `start` to before index `end`."""

    start: int
    end: int


class Term(Struct, frozen=True):
    """Words that must follow each other. `is_prefix`: the last one may have any ending."""

    words: tuple[str, ...]
    is_prefix: bool = False

    @property
    def match_expression(self) -> str:
        """The term as a string of an FTS5 query. Words consist of letters, marks and digits, so that nothing needs escaping."""
        return f'"{" ".join(self.words)}"{" *" if self.is_prefix else ""}'

    @property
    def pattern(self) -> str:
        """A regular expression that finds the term in a text whose words are separated (`_separated`)."""
        parts = ["" if _IS_SINGLE.match(self.words[0]) else f"(?<![^ {_SINGLE}])"]
        for before, word in zip(("", *self.words), self.words, strict=False):
            if before:
                apart = not (_IS_SINGLE.match(before) or _IS_SINGLE.match(word))
                parts.append(" +" if apart else " *")
            parts.append(re.escape(word))
        if self.is_prefix:
            parts.append(f"[^ {_SINGLE}]*")
        elif not _IS_SINGLE.match(self.words[-1]):
            parts.append(f"(?![^ {_SINGLE}])")
        return "".join(parts)


class Query(Struct, frozen=True, dict=True):
    """A parsed query: at least one term."""

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Parses a query. Raises CommandRefused if it contains no word, or is too long."""
        if len(text) > limits.QUERY_CHARS_MAX:
            raise CommandRefused(
                f"a query has at most {limits.QUERY_CHARS_MAX} characters; this one is longer"
            )
        terms = tuple(dict.fromkeys(_terms(text)))
        if not terms:
            raise CommandRefused(
                'the query contains no word; write words, "a phrase" or the beginning of a word, as in kat*'
            )
        if sum(len(term.words) for term in terms) > limits.QUERY_WORDS_MAX:
            raise CommandRefused(f"a query has at most {limits.QUERY_WORDS_MAX} words; this one has more")
        return cls(terms)

    @property
    def match_expression(self) -> str:
        """The query in the language of FTS5."""
        return " AND ".join(term.match_expression for term in self.terms)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(term.pattern) for term in self.terms]

    def find_in(self, text: str) -> list[Span] | None:
        """Like `find`, in any text."""
        return self.find(normal_form(text))

    def find(self, text: str) -> list[Span] | None:
        """Where the terms are in a text in `normal_form`, in order and without overlaps; None if one of them is missing."""
        separated = _separated(text)
        spans: list[Span] = []
        for pattern in self._patterns:
            first = pattern.search(separated)
            if first is None:
                return None
            for found in pattern.finditer(separated, first.start()):
                spans.append(Span(*found.span()))
                if len(spans) >= limits.SEARCH_SPANS_MAX:
                    break
        return _without_overlaps(sorted(spans))


def _terms(text: str) -> Iterator[Term]:
    for found in _TERM.finditer(normal_form(text)):
        word = found["word"]
        written = found["phrase"] if word is None else word
        is_prefix = bool(found["any_end"]) if word is None else word.endswith("*")
        words = words_of(written)
        if words:
            yield Term(words, is_prefix)


def _without_overlaps(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


# --- Words ------------------------------------------------------------------------------------------------


def normal_form(text: str) -> str:
    """The text in the normal form in which it is indexed, searched and shown: one character for one letter (NFKC)."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def indexed_text(text: str) -> str:
    """What the index gets of a text: the words of its normal form, separated as SQLite's tokenizer can see."""
    if text.isascii():
        return text
    # Folded here, because the tables in SQLite are those of an older Unicode.
    return _SPACED.sub(r" \1 ", _separated(unicodedata.normalize("NFKC", text)))


def fold(text: str) -> str:
    """The text without case and accents. It keeps its length: each character becomes one character."""
    return text.translate(_FOLDED) if not text.isascii() else text.lower()


def words_of(text: str) -> tuple[str, ...]:
    """The folded words of a text in normal form."""
    return tuple(_SPACED.sub(r" \1 ", _separated(text)).split())


def _separated(text: str) -> str:
    """The folded text with a space for each character that is not part of a word. It keeps its length."""
    return text.translate(_SIMPLIFIED)


def _is_word_char(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LN" or category in ("Co", "Mn", "Mc")


#: Lower-case characters that SQLite's tokenizer folds further: the final sigma, and the iota below a vowel.
_FOLDED_BY_SQLITE: Final = {"\u03c2": "\u03c3", "\u0345": "\u03b9"}


class _Folded(dict[int, str]):
    """For `str.translate`: a letter's base letter in lower case, computed when it first occurs."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        base = unicodedata.normalize("NFD", char)[0].lower() if not _IS_SINGLE.match(char) else char
        folded = self[code] = _FOLDED_BY_SQLITE.get(base, base) if len(base) == 1 else char
        return folded


class _Simplified(dict[int, str]):
    """For `str.translate`: folded letters, and a space for everything that is not part of a word."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        simplified = self[code] = _FOLDED[code] if _is_word_char(char) else " "
        return simplified


_FOLDED: Final = _Folded()
_SIMPLIFIED: Final = _Simplified()
