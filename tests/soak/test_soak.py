"""A short soak: half a minute of load, then the checks. `make soak` runs a longer one."""

import os
import random
import sys
from pathlib import Path

import pytest

from soak.run import Soak

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

SECONDS = float(os.environ.get("SOAK_SECONDS", "30"))


def test_a_mixed_load_with_kills_and_full_disks_loses_and_doubles_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("SOAK_SEED", str(random.randrange(1_000_000))))
    soak = Soak(tmp_path / "soak", seed, SECONDS)
    problems = soak.run()
    print(f"SOAK_SEED={seed}\n{soak.summary()}")
    if problems:
        soak.book.dump(tmp_path / "book.jsonl")
        pytest.fail("\n".join([f"SOAK_SEED={seed}", *problems[:20]]), pytrace=False)
    for what in ("events acknowledged", "log lines written", "outcomes: ok", "edits of notes"):
        assert soak.book.counts[what], f"the load held no {what}"
    assert soak.book.deaths
