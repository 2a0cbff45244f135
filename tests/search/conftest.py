"""A journal and its index in a state folder of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import START_MS
from kato.storage.journal import Journal
from kato.storage.search import Indexer


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    opened = Journal.open(state, now_ms=lambda: START_MS)
    yield opened
    opened.close()


@pytest.fixture
def indexer(state: Path, journal: Journal) -> Iterator[Indexer]:
    opened = Indexer(state)
    yield opened
    opened.close()
