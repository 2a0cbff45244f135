"""Machines on one home, one after the other: each new one is a restart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from machine import Machine

Scene = Callable[..., Machine]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made: list[Machine] = []

    def make(folders: list[str] | None = None, **more: Any) -> Machine:
        for machine in made:
            machine.assembly.engine.close()
        made.clear()
        made.append(Machine(tmp_path, [str(tmp_path / "work")] if folders is None else folders, **more))
        return made[-1]

    yield make
    for machine in made:
        machine.engine.close()
