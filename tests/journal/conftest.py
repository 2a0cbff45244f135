"""A journal in a state folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import START_MS
from kato.storage.journal import Journal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    opened = Journal.open(state, now_ms=lambda: START_MS)
    yield opened
    opened.close()
