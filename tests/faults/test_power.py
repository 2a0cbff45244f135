"""Power loss: everything up to the last heartbeat is stored, and of later events an undamaged beginning.

The tests simulate the disk after a power loss: the write-ahead log is complete up to its size at the heartbeat, and each later
sector of 512 bytes has either its new content or none.
"""

import random
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from builders import START_MS, conversation, request
from faults.injection import Plan
from faults.scenario import steps
from faults.zygote import Zygote
from kato.core.events import SessionKey
from kato.storage.journal import FILE_NAME, Journal
from peer import Peer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are forked")

SECTOR_BYTES = 512
SESSION = SessionKey("claude", "session-1")
LOSSES = 60


def test_a_power_loss_takes_at_most_what_came_after_the_last_heartbeat(
    zygote: Zygote, environment: Mapping[str, str], tmp_path: Path
) -> None:
    state, record = tmp_path / "state", tmp_path / "steps"
    plan = Plan(record=str(record), under=(str(state),))
    peer = Peer(zygote.start({**environment, **plan.environment()}, tmp_path / "stderr"))
    peer.initialize({"stateDir": str(state), "heartbeatSeconds": 0.1}, [])
    durable, after = conversation(40, size=300), conversation(40, first=40, size=300)
    push(peer, durable)
    wait_for_two_heartbeats(peer)
    wal = Path(f"{state / FILE_NAME}-wal")
    synced = wal.stat().st_size
    done = [step for step in steps(record) if step in ("sql COMMIT", f"fsync {wal}")]
    assert done[-1] != "sql COMMIT", "the heartbeat synchronised the log after the last commit"
    push(peer, after)
    peer.kill()
    assert wal.stat().st_size > synced + 50 * SECTOR_BYTES
    kept = []
    for seed in range(LOSSES):
        disk = tmp_path / "disk"
        disk.mkdir()
        shutil.copyfile(state / FILE_NAME, disk / FILE_NAME)
        what_is_left = lose(wal.read_bytes(), synced, random.Random(seed))
        Path(f"{disk / FILE_NAME}-wal").write_bytes(what_is_left)
        journal = Journal.open(disk, now_ms=lambda: START_MS)
        assert journal.recovery is None
        assert journal.check().problems == []
        events = [orjson.loads(line) for _, line in journal.read(SESSION)]
        assert events == (durable + after)[: len(events)]
        assert len(events) >= len(durable)
        kept.append(len(events))
        journal.close()
        shutil.rmtree(disk)
    assert len(set(kept)) > 2, "the losses differ"


def push(peer: Peer, events: list[dict[str, object]]) -> None:
    """One event a request, so that each is a transaction."""
    for event in events:
        peer.request("kato/appendEvents", request([event]))


def wait_for_two_heartbeats(peer: Peer) -> None:
    """The second one began after all that was acknowledged before."""
    for _ in range(2):
        before = peer.request("kato/status")["heartbeatAt"]
        deadline = time.monotonic() + 20
        while peer.request("kato/status")["heartbeatAt"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def lose(log: bytes, synced: int, chance: random.Random) -> bytes:
    """The log as it lies on the disk when the power is back."""
    left = bytearray(log[: chance.randint(synced, len(log))])
    share = chance.choice([0, 0.01, 0.1, 0.5])
    for start in range(synced, len(left), SECTOR_BYTES):
        if chance.random() < share:
            end = min(start + SECTOR_BYTES, len(left))
            left[start:end] = bytes(end - start)
    return bytes(left)
