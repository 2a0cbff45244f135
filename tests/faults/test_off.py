"""`::off` and `::on` while statements of the journal fail and processes are killed."""

from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from builders import Json, assistant, user
from engine.machine import Window, faulty, never, words
from engine.test_off import GAP, holding, said

pytestmark = pytest.mark.slow


def fails_from(first: int, number: int, sql: str, values: Any) -> bool:
    """Whether a statement fails: each from this number on."""
    return number >= first


def test_a_failure_or_a_kill_at_any_statement_stores_no_word_after_off_and_runs_each_command_once(
    tmp_path: Path,
) -> None:
    talk: list[list[Json]] = [
        [user("::capture talk.md\nfine\n::off\nSECRET", 0), assistant("SECRET", 1)],
        [user("SECRET", 2)],
        [user("SECRET\n::on\nback", 3), assistant("public", 4)],
    ]
    for number in count():
        folder = tmp_path / str(number)
        folder.mkdir()
        first = Window(folder, "first")
        connection = faulty(first)
        connection.fails = partial(fails_from, number)
        for part in talk:
            first.append(*part)  # the client gives up on what is not answered
        was_hit = len(connection.statements) > number
        ran = [*first.ran]
        connection.fails = never
        first.journal.database.rollback()
        second = Window(folder, "second")  # the first one counts as killed
        second.beat()
        for part in talk:
            second.append(*part)
        second.beat()
        assert said(second) == ["::capture talk.md\nfine\n::off", "~", "::on\nback", "public"]
        body = words(folder / "notes" / "talk.md")
        assert body == ["::capture talk.md", "fine", "::off", GAP, "::on", "back", "public"], number
        assert holding(folder, b"SECRET") == []
        done = [one for one in [*ran, *second.ran] if one.endswith("ok")]
        assert sorted(set(done)) == ["capture ok", "off ok", "on ok"]
        first.close()
        second.close()
        if not was_hit:
            break
