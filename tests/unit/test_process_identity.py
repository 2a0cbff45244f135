"""Which processes are alive: one that ended is gone, also while its parent has not asked for its exit code."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from kato.app import process

Identity = Callable[[int], str | None]
IDENTITIES: list[Identity] = [process._portable_identity]
if sys.platform == "linux":
    IDENTITIES.append(process._linux_identity)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_process_is_the_same_as_long_as_it_runs(
    identity: Identity, sleeper: subprocess.Popen[bytes]
) -> None:
    assert identity(sleeper.pid) == identity(sleeper.pid) is not None
    assert identity(os.getpid()) != identity(sleeper.pid)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_process_that_ended_is_gone_before_its_parent_asks(
    identity: Identity, sleeper: subprocess.Popen[bytes]
) -> None:
    sleeper.kill()
    deadline = time.monotonic() + 10
    while identity(sleeper.pid) is not None:
        assert time.monotonic() < deadline, "a zombie counts as alive"
    os.kill(sleeper.pid, 0)  # its id is still taken, because no process waited for it


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("pid", [-1, 1 << 22, 1 << 70])
def test_an_id_that_no_process_has_names_none(identity: Identity, pid: int) -> None:
    assert identity(pid) is None


def test_a_process_that_took_over_the_id_is_another_one() -> None:
    mine = process.identity(os.getpid())
    assert mine is not None
    assert process.is_alive(mine)
    assert not process.is_alive(f"{os.getpid()}:1@00000000")
    assert not process.is_alive(f"{os.getpid()}")
    assert not process.is_alive("x:1")
