"""Servers that fail on purpose."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from faults.injection import Plan
from faults.scenario import Drive, steps
from faults.sweep import Run, runner
from faults.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Forks servers in milliseconds."""
    made = Zygote()
    yield made
    made.close()


@pytest.fixture(scope="session")
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No setting of the machine the tests run on reaches a server."""
    config = tmp_path_factory.mktemp("config") / "config.toml"
    config.touch()
    return {"PATH": os.environ["PATH"], "KATO_CONFIG": str(config), "TZ": "UTC"}


@pytest.fixture(scope="session")
def recorded(
    zygote: Zygote, plain_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The steps of an undisturbed run of the scenario."""
    folder = tmp_path_factory.mktemp("scenario")
    record = folder / "steps"
    drive = Drive(zygote.start, folder / "run", plain_environment, [Plan(record=str(record))])
    assert drive.run() == []
    return steps(record)


@pytest.fixture
def run(zygote: Zygote, plain_environment: Mapping[str, str], tmp_path: Path) -> Run:
    """Runs the scenario in forked servers."""
    return runner(zygote.start, tmp_path, plain_environment)
