"""The server's stream over real pipes: what the client does not read waits, in order, within bounds."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from kato.core import limits
from kato.lsp.transport import Input, Output

Pipe = tuple[int, int]


@pytest_asyncio.fixture
async def pipe() -> AsyncIterator[Pipe]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield read, write
    for end in (read, write):
        with suppress(OSError):
            os.close(end)


async def until(condition: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 10
    while not condition():
        assert loop.time() < deadline, "waited too long"
        await asyncio.sleep(0)


def taken(read: int) -> bytes:
    """What a client that reads would get now."""
    try:
        return os.read(read, 65_536)
    except BlockingIOError:
        return b""


def output(write: int, log: list[str]) -> Output:
    return Output(
        write,
        asyncio.get_running_loop(),
        on_gone=lambda: log.append("gone"),
        on_written=lambda: log.append("written"),
    )


async def test_frames_of_every_size_arrive_in_order(pipe: Pipe) -> None:
    read, write = pipe
    log: list[str] = []
    out = output(write, log)
    sent = [
        bytes([65 + number % 26]) * size for number, size in enumerate([1, 5000, 3, 70_000, 2, 2, 100_000, 9])
    ]
    for frame in sent * 3:
        out.send((frame[:1], frame[1:]))
    out.flush()
    expected = b"".join(sent * 3)
    got = b""
    while len(got) < len(expected):
        got += taken(read)
        await asyncio.sleep(0)
    assert got == expected
    await until(lambda: out.waiting_bytes == 0)
    assert (out.queued, out.written) == (len(expected), len(expected))
    assert "written" in log


async def test_it_is_crowded_while_too_much_is_unread(pipe: Pipe) -> None:
    read, write = pipe
    out = output(write, [])
    crowded = []
    for size in (limits.OUTGOING_BYTES_MAX, 100_000):
        out.send((b"x" * size,))
        crowded.append(out.crowded)
    assert crowded == [False, True]
    out.flush()
    while out.crowded:
        taken(read)
        await asyncio.sleep(0)
    assert out.waiting_bytes <= limits.OUTGOING_BYTES_MAX


async def test_many_small_frames_take_little_more_memory_than_their_bytes(pipe: Pipe) -> None:
    """An object each would take ten times as much."""
    import tracemalloc

    out = output(pipe[1], [])
    tracemalloc.start()
    for _ in range(50_000):
        out.send((b"x" * 20,))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert out.waiting_bytes == 1_000_000
    assert used < 1_500_000


async def test_discarded_output_is_not_sent_and_does_not_count(pipe: Pipe) -> None:
    out = output(pipe[1], [])
    out.send((b"x" * 2 * limits.OUTGOING_BYTES_MAX,))
    out.discard()
    out.send((b"more",))
    out.flush()
    assert (out.waiting_bytes, out.crowded) == (0, False)


async def test_a_reader_that_closes_its_end_is_reported(pipe: Pipe) -> None:
    read, write = pipe
    log: list[str] = []
    out = output(write, log)
    os.close(read)
    out.send((b"x",))
    out.flush()
    await until(lambda: "gone" in log)
    assert out.waiting_bytes == 0


async def test_nothing_is_read_between_pause_and_resume(pipe: Pipe) -> None:
    read, write = pipe
    got: list[bytes] = []
    rounds: list[int] = []

    def take(data: bytes) -> None:
        got.append(data)
        if data == b"one":
            source.pause()

    source = Input(read, asyncio.get_running_loop(), take, lambda: rounds.append(len(got)))
    source.start()
    os.write(write, b"one")
    await until(lambda: bool(rounds))
    os.write(write, b"two")
    for _ in range(100):
        await asyncio.sleep(0)
    assert got == [b"one"]
    source.resume()
    await until(lambda: len(got) == 2)
    os.close(write)
    await until(lambda: got[-1] == b"")
    for _ in range(100):
        await asyncio.sleep(0)
    assert got == [b"one", b"two", b""], "the end comes once"
    source.stop()


async def test_a_file_is_read_by_a_thread_that_waits_during_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"x" * (3 * limits.READ_BYTES))
    descriptor = os.open(path, os.O_RDONLY)
    got: list[int] = []

    def take(data: bytes) -> None:
        got.append(len(data))
        if len(got) == 1:
            source.pause()

    source = Input(descriptor, asyncio.get_running_loop(), take, lambda: None)
    source.start()
    await until(lambda: source._ahead is not None)
    assert got == [limits.READ_BYTES], "it reads one piece ahead, and no more"
    source.resume()
    await until(lambda: got[-1] == 0)
    assert got == [limits.READ_BYTES] * 3 + [0]
    source.stop()
    os.close(descriptor)


@pytest.mark.parametrize("size", [1, limits.READ_BYTES, 3 * limits.READ_ROUND_BYTES])
async def test_a_round_ends_after_its_bytes(pipe: Pipe, size: int) -> None:
    read, write = pipe
    got: list[int] = []
    rounds: list[int] = []
    source = Input(
        read, asyncio.get_running_loop(), lambda data: got.append(len(data)), lambda: rounds.append(sum(got))
    )
    source.start()
    left = size
    while left:
        left -= os.write(write, b"x" * min(left, 4096))
        await asyncio.sleep(0)
    await until(lambda: bool(rounds) and rounds[-1] == size)
    ends = [0, *rounds]
    assert all(
        b - a < limits.READ_ROUND_BYTES + limits.READ_BYTES for a, b in zip(ends, rounds, strict=False)
    )
    source.stop()
