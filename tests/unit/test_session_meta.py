"""The rule by which an append changes a session's metadata, as a table: stored value, appended value, result."""

from typing import Any

import pytest
from msgspec.structs import asdict

from kato.core.events import SessionKey
from kato.core.records import SessionMeta, SessionRecord, merge_meta

#: The latest value that is not empty counts.
LATEST = [
    (None, None, None),
    (None, "new", "new"),
    ("old", None, "old"),
    ("old", "", "old"),
    ("old", "new", "new"),
    ("", "new", "new"),
]
#: The first value that is not empty counts.
FIRST = [
    (None, None, None),
    (None, "new", "new"),
    ("old", None, "old"),
    ("old", "new", "old"),
    ("", "new", "new"),
]
#: The largest moment counts; moments before 1970 are negative.
LARGEST = [
    (1, 2, 2),
    (2, 1, 2),
    (-2, -1, -1),
    (-1, -2, -1),
    (0, -1, 0),
    (-1, 0, 0),
]
OPTIONAL_MOMENT: list[tuple[Any, Any, Any]] = [
    *LARGEST,
    (None, None, None),
    (None, -1, -1),
    (0, None, 0),
    (-1, None, -1),
]

RULE: dict[str, list[Any]] = {
    "updated_at": LARGEST,
    "title": LATEST,
    "snippet": FIRST,
    "cwd": LATEST,
    "last_message_at": OPTIONAL_MOMENT,
    "parent_id": LATEST,
    "parent_call_id": LATEST,
    "branch": LATEST,
}


def meta(**values: Any) -> SessionMeta:
    return SessionMeta(**{"updated_at": 0, **values})


def test_the_table_covers_every_field() -> None:
    assert [*RULE] == [*SessionMeta.__struct_fields__]


@pytest.mark.parametrize(
    ("name", "stored", "added", "expected"),
    [(name, *row) for name, table in RULE.items() for row in table],
)
def test_each_field_follows_its_rule(name: str, stored: Any, added: Any, expected: Any) -> None:
    merged = merge_meta(meta(**{name: stored}), meta(**{name: added}))
    assert getattr(merged, name) == expected
    others = {field: value for field, value in asdict(merged).items() if field != name}
    assert others == {field: value for field, value in asdict(meta()).items() if field != name}


def test_a_stored_session_follows_the_same_rule() -> None:
    record = SessionRecord(
        key=SessionKey("p", "s"),
        event_count=3,
        json_bytes=9,
        created_at=1,
        updated_at=1,
        title="old",
        cwd="/w",
    )
    expected = SessionMeta(2, title="new", snippet="first", cwd="/w", last_message_at=5)
    assert merge_meta(record, SessionMeta(2, title="new", snippet="first", last_message_at=5)) == expected
