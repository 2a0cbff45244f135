"""The frame reader: whole, byte by byte, cut anywhere, and with what clients get wrong."""

import orjson
import pytest

from kato.core import limits
from kato.lsp.framing import Broken, Frame, FrameReader, Oversize, encode_frame, find_request_id

Item = Frame | Oversize | Broken


def read(stream: bytes, *, bound: int = 1000, piece: int | None = None) -> list[Item]:
    reader = FrameReader(bound)
    piece = piece or max(1, len(stream))
    return [item for at in range(0, len(stream), piece) for item in reader.feed(stream[at : at + piece])]


def bodies(items: list[Item]) -> list[bytes]:
    return [bytes(item.body) for item in items if isinstance(item, Frame)]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, None])
def test_frames_come_out_whole_however_the_stream_is_cut(piece: int | None) -> None:
    sent = [b"{}", b"", b'{"a":"\xc3\xa9"}', b"x" * 999]
    items = read(b"".join(map(encode_frame, sent)), piece=piece)
    assert bodies(items) == sent
    assert len(items) == len(sent)


@pytest.mark.parametrize("piece", [1, 100, limits.READ_BYTES, None])
def test_a_large_frame_is_put_together_and_what_follows_it_is_read(piece: int | None) -> None:
    large = b"y" * (5 * limits.READ_BYTES)
    items = read(encode_frame(large) + encode_frame(b"{}"), bound=10 * limits.READ_BYTES, piece=piece)
    assert bodies(items) == [large, b"{}"]


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length: 2\r\n\r\n",
        b"CONTENT-LENGTH:2\r\n\r\n",
        b"Content-Length:  2  \r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
    ],
)
@pytest.mark.parametrize("piece", [1, None])
def test_headers_are_matched_in_any_case_and_content_type_is_optional(
    header: bytes, piece: int | None
) -> None:
    assert read(header + b"{}", piece=piece) == [Frame(b"{}")]


@pytest.mark.parametrize("piece", [1, 10, None])
@pytest.mark.parametrize(
    ("garbage", "what"),
    [
        (b"a stray print\r\n", "before a header on a line of its own"),
        (b"a stray print without an end of line", "glued to a header"),
        (b"Content-Length: nonsense\r\n\r\n", "a length that is no number"),
        (b"Content-Length: -5\r\n\r\n", "a negative length"),
        (b"X-Other: 1\r\n\r\n", "no length"),
        (b"Content-Length: 3\r\nContent-Length: 4\r\nX-Other: 1\r\nY: 2\r\n\r\n", "two lengths"),
    ],
)
def test_a_broken_frame_is_skipped_and_the_next_one_is_read(
    garbage: bytes, what: str, piece: int | None
) -> None:
    items = read(garbage + encode_frame(b"{}"), piece=piece)
    assert bodies(items) == [b"{}"], what
    assert any(isinstance(item, Broken) for item in items), what


@pytest.mark.parametrize("piece", [1, 4096, None])
def test_bytes_without_a_header_are_skipped_in_bounded_memory(piece: int | None) -> None:
    garbage = b"z" * (6 * limits.HEADER_LINE_BYTES_MAX)
    reader = FrameReader(1000)
    step = piece or len(garbage)
    items: list[Item] = []
    for at in range(0, len(garbage), step):
        items += reader.feed(garbage[at : at + step])
        assert len(reader._buffer) <= 3 * limits.HEADER_LINE_BYTES_MAX
    items += reader.feed(encode_frame(b"{}"))
    assert bodies(items) == [b"{}"]


@pytest.mark.parametrize("piece", [1, 1000, None])
def test_a_frame_that_is_too_large_is_drained_and_its_request_is_named(piece: int | None) -> None:
    body = orjson.dumps(
        {"jsonrpc": "2.0", "id": 7, "method": "kato/appendEvents", "params": {"x": "y" * 5000}}
    )
    items = read(encode_frame(body) + encode_frame(b"{}"), piece=piece)
    assert items == [Oversize(len(body), 7), Frame(b"{}")]


def test_a_header_that_announces_an_absurd_length_is_drained_without_being_buffered() -> None:
    reader = FrameReader(1000)
    assert list(reader.feed(b"Content-Length: 100000000000\r\n\r\n")) == []
    for _ in range(100):
        assert list(reader.feed(b"x" * 65536)) == []
    assert len(reader._body) == 0
    assert len(reader._buffer) == 0
    assert reader.unfinished


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        ('{"jsonrpc":"2.0","id":3,"method":"m","params":{"id":9,"x":"%s"}}', 3),
        ('{"id":"a-1","jsonrpc":"2.0","method":"m","params":{"x":"%s"}}', "a-1"),
        ('{ "jsonrpc" : "2.0" , "id" : 12 , "method":"m","params":{"x":"%s"}}', 12),
        ('{"jsonrpc":"2.0","method":"m","params":{"x":"%s"},"id":4}', 4),
        ('{"params":{"x":"%s"},"id":"é","method":"m","jsonrpc":"2.0"}', "é"),
        ('{"jsonrpc":"2.0","method":"m","params":{"id":9,"x":"%s"}}', None),
        ('{"jsonrpc":"2.0","method":"m","params":{"x":"%s","y":{"id":5}}}', None),
    ],
)
def test_the_request_id_is_found_outside_the_params_only(message: str, request_id: int | str | None) -> None:
    assert find_request_id((message % ("z" * 9000)).encode()) == request_id


def test_a_frame_that_is_cut_by_the_end_of_input_is_unfinished() -> None:
    reader = FrameReader(1000)
    assert list(reader.feed(encode_frame(b"{}"))) == [Frame(b"{}")]
    assert not reader.unfinished
    assert list(reader.feed(b"Content-Length: 10\r\n\r\n{")) == []
    assert reader.unfinished
