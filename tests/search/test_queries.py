"""The query's grammar, and that what the index finds is what an excerpt marks."""

import sqlite3
import sys
import unicodedata
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import assistant, decision, info, struct, system, thinking, tool_call, tool_result, user
from kato.core import limits
from kato.core.errors import CommandRefused
from kato.core.queries import WORD_CATEGORIES, Query, indexed_text, normal_form, words_of
from kato.core.searching import excerpt, searched


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("journal", '"journal"'),
        ("Journal  WAL", '"journal" AND "wal"'),
        ('"write ahead" log', '"write ahead" AND "log"'),
        ("check*", '"check" *'),
        ('"write ahea"*', '"write ahea" *'),
        ('"not closed', '"not closed"'),
        ("snake_case", '"snake case"'),
        ("src/main.py:12", '"src main py 12"'),
        ("a a A", '"a"'),
        ("NEAR(x) OR -y", '"near x" AND "or" AND "y"'),
        ("日本語", '"日 本 語"'),
        ("Crème", '"creme"'),
        ("--- journal", '"journal"'),
        ('say"hello there"', '"say" AND "hello there"'),
    ],
)
def test_a_query_becomes_an_expression(query: str, expression: str) -> None:
    assert Query.parse(query).match_expression == expression


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        '""',
        "*",
        "--- ***",
        "x" * (limits.QUERY_CHARS_MAX + 1),
        " ".join(f"w{number}" for number in range(limits.QUERY_WORDS_MAX + 1)),
    ],
)
def test_a_query_without_words_or_beyond_the_bounds_is_refused(query: str) -> None:
    with pytest.raises(CommandRefused):
        Query.parse(query)


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("creme", "Une Crème brûlée", ["Crème"]),
        ("BRÛ*", "Une Crème brûlée", ["brûlée"]),
        ('"snake case"', "a snake_case name", ["snake_case"]),
        ("语言", "编程语言很多", ["语言"]),
        ("สวัส", "สวัสดีครับ", ["สวัส"]),
        ("कि", "कि का", ["कि"]),
        ("ΛΌΓΟΣ", "ὁ λόγος", ["λόγος"]),
        ("λόγος", "Ο ΛΌΓΟΣ", ["ΛΌΓΟΣ"]),
        ("log", "logs and a log", ["log"]),
        ("log*", "logs and a log", ["logs", "log"]),
        ("missing", "nothing here", None),
        ("nothing missing", "nothing here", None),
    ],
)
def test_the_matches_in_a_text_are_found(query: str, text: str, found: list[str] | None) -> None:
    spans = Query.parse(query).find(text)
    assert (None if spans is None else [text[span.start : span.end] for span in spans]) == found


#: Letters of many scripts, marks, and what separates words.
_ALPHABET = 'abXY019éÉñüŁßΣσςᾳЖжאבעرबकखिा์ไทย日本語かなカナ가나Ⅳﬁ\u0301 \n_-./"*(),;…🙂'
_TEXT = st.text(st.sampled_from(_ALPHABET), max_size=30)


def _open_index() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    db.execute(
        "CREATE VIRTUAL TABLE words USING fts5(text, content = '',"
        f" tokenize = \"unicode61 remove_diacritics 0 categories '{WORD_CATEGORIES}'\")"
    )
    return closing(db)


def _is_in_index(text: str, query: Query) -> bool:
    with _open_index() as db:
        db.execute("INSERT INTO words (text) VALUES (?)", (indexed_text(text),))
        return bool(
            db.execute("SELECT 1 FROM words WHERE words MATCH ?", (query.match_expression,)).fetchone()
        )


@given(text=_TEXT, written=_TEXT)
def test_a_message_is_found_in_the_index_exactly_if_the_words_are_found_in_its_text(
    text: str, written: str
) -> None:
    try:
        query = Query.parse(written)
    except CommandRefused:
        return
    assert _is_in_index(text, query) == (query.find_in(text) is not None)


def test_the_index_leaves_every_folded_letter_as_it_is() -> None:
    # Letters since Unicode 3.2 only: the tables of an older SQLite do not know the newest ones.
    letters = {
        letter
        for code in range(sys.maxunicode + 1)
        if unicodedata.ucd_3_2_0.category(chr(code))[0] in "LN"
        for letter in words_of(normal_form(chr(code)))
    }
    with _open_index() as db:
        db.executemany("INSERT INTO words (text) VALUES (?)", ((letter,) for letter in letters))
        db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, 'row')")
        assert {term for (term,) in db.execute("SELECT term FROM terms")} == letters


@given(text=_TEXT, data=st.data())
def test_every_word_of_a_text_is_found_in_it(text: str, data: st.DataObject) -> None:
    words = words_of(normal_form(text))
    if words:
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, min(len(words) - 1, first + 5)))
        phrase = " ".join(words[first : last + 1])
        query = Query.parse(f'"{phrase}"')
        assert query.find_in(text) is not None
        assert _is_in_index(text, query)


@given(text=st.text(max_size=400), query=st.sampled_from(["a", "the*", "é"]))
def test_an_excerpt_is_one_printable_bounded_line_and_its_marks_lie_in_it(text: str, query: str) -> None:
    shown, marks = excerpt(f"{text} a the é", Query.parse(query))
    units = len(shown.encode("utf-16-le", errors="surrogatepass")) // 2
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert all(0 <= mark.start < mark.end <= units for mark in marks)
    assert [mark.start for mark in marks] == sorted(mark.start for mark in marks)


def test_an_excerpt_shows_the_words_around_a_match_that_comes_late() -> None:
    text = "begin " + "filler " * 100 + "the needle stands here " + "filler " * 100
    shown, (mark,) = excerpt(text, Query.parse("needle"))
    assert shown[mark.start : mark.end] == "needle"
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) <= limits.EXCERPT_CHARS + 2


def test_marks_are_counted_in_the_units_of_lsp() -> None:
    shown, (mark,) = excerpt("🙂🙂 needle", Query.parse("needle"))
    assert shown == "🙂🙂 needle"
    assert (mark.start, mark.end) == (5, 11)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (user("hello"), ("user", "hello")),
        (assistant("hello"), ("assistant", "hello")),
        (system("hello"), ("other", "hello")),
        (thinking("hello"), ("other", "hello")),
        (info("hello"), ("other", "hello")),
        (decision("hello"), ("other", "hello")),
        (tool_result("hello"), ("tools", "hello")),
        (tool_call("Bash", input={"command": "ls", "more": [{"x": "y"}, 1]}), ("tools", "Bash\nls\ny")),
    ],
)
def test_each_kind_of_event_has_its_text_and_its_part(
    event: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert searched(struct(event)) == expected


def test_a_long_text_is_searched_in_its_beginning() -> None:
    _, text = searched(struct(user("x" * (limits.SEARCHED_CHARS_MAX + 1))))
    assert len(text) == limits.SEARCHED_CHARS_MAX
    deep: Any = "end"
    for _ in range(1000):
        deep = [deep]
    assert searched(struct(tool_call("Bash", input={"deep": deep}))).text == "Bash\nend"
