"""Windows that are closed at the end of a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.machine import MakeWindow, Window


@pytest.fixture
def window(tmp_path: Path) -> Iterator[MakeWindow]:
    """Makes windows on one state folder."""
    made: list[Window] = []

    def make(name: str = "window-1", **options: Any) -> Window:
        made.append(Window(tmp_path, name, **options))
        for one in made:
            one.alive = {two.name for two in made}
        return made[-1]

    yield make
    for one in made:
        one.close()
