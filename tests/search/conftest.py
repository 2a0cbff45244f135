"""The index of a journal, in the same state folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kato.storage.journal import Journal
from kato.storage.search import Indexer


@pytest.fixture
def indexer(state: Path, journal: Journal) -> Iterator[Indexer]:
    opened = Indexer(state)
    yield opened
    opened.close()
