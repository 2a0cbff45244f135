"""Renders stored events as Markdown between two positions in a conversation, in pieces of a bounded size."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from kato.core import limits
from kato.core.events import SessionKey, ToolResult, UserMessage
from kato.core.pictures import linked
from kato.core.records import Recording
from kato.notes.transcript import Transcript


class Position(NamedTuple):
    """A place in a conversation: behind `seq` whole events and the first `line` lines of the next one."""

    seq: int
    line: int = 0

    @property
    def end(self) -> int:
        """The number behind the last event that is needed to reach this position."""
        return self.seq + (self.line > 0)


BEGINNING: Final = Position(0)


def position_of(recording: Recording) -> Position:
    """The position up to which a recording has written its note."""
    return Position(recording.seq, recording.line)


def moved(recording: Recording, to: Position, state: bytes) -> Recording:
    """The recording at another position, with the renderer's state there."""
    return replace(recording, seq=to.seq, line=to.line, transcript_state=state)


class Events(Protocol):
    """Reads a session's events in order."""

    def __call__(self, *, after: int, until: int) -> Iterator[tuple[int, bytes]]:
        """The lines from number `after` to before `until`, in pieces of whole lines with the number of their first."""
        ...


class SubAgent(NamedTuple):
    """A sub-agent's session, to be folded under the call that started it."""

    key: SessionKey
    title: str
    events: Iterable[tuple[int, bytes]]


#: The sub-agents that a tool call of a session started.
SubAgents = Callable[[SessionKey, str], Iterable[SubAgent]]


#: Gives the text that follows a tool's result: the sub-agents of its call.
Fold = Callable[[Transcript, ToolResult], str]


def render(
    transcript: Transcript,
    events: Iterable[tuple[int, bytes]],
    since: Position,
    until: Position | None,
    fold: Fold | None = None,
    *,
    is_over: bool = False,
) -> Iterator[bytes]:
    """The Markdown of the events between two positions, in pieces of a bounded size. `is_over` says that nothing follows, so that
    the open turn ends here.
    """
    yield from _joined(texts(transcript, events, since, until, fold))
    if is_over and (rest := transcript.finish()):
        yield rest.encode()


def texts(
    transcript: Transcript,
    events: Iterable[tuple[int, bytes]],
    since: Position,
    until: Position | None,
    fold: Fold | None,
) -> Iterator[tuple[int, str]]:
    """The texts of events, each with its event's number. Most events of a session give no text."""
    read, feed = transcript.read, transcript.feed
    first = since.seq if since.line else -1
    last = until.seq if until is not None and until.line else -1
    cut = {first, last}
    for start, lines in events:
        for seq, event in enumerate(read(lines), start):
            if type(event) is UserMessage and seq in cut:
                after = since.line if seq == first else 0
                through = until.line if until is not None and seq == last else None
                text = feed(event, after_line=after, through_line=through)
            else:
                text = feed(event)
            if fold is not None and type(event) is ToolResult:
                text += fold(transcript, event)
            if text:
                yield seq, text if transcript.link is None else linked(text, transcript.link)


def next_blocks(
    transcript: Transcript, events: Events, since: Position, until: Position, fold: Fold | None
) -> tuple[Position, list[bytes]]:
    """The blocks of the next piece of a bounded size, and the position after them."""
    blocks: list[bytes] = []
    size = 0
    end = until.end
    for seq, text in texts(transcript, events(after=since.seq, until=end), since, until, fold):
        blocks.append(text.encode())
        size += len(blocks[-1])
        if size >= limits.WRITE_PIECE_BYTES:
            return min(Position(seq + 1), until), blocks
    # Skips events that cannot be read: without a journal, memory may have dropped them.
    return max(since, until), blocks


def _joined(texts: Iterable[tuple[int, str]]) -> Iterator[bytes]:
    waiting: list[str] = []
    size = 0
    for _, text in texts:
        waiting.append(text)
        size += len(text)
        if size >= limits.WRITE_PIECE_BYTES:
            yield from _encoded(waiting)
            waiting, size = [], 0
    yield from _encoded(waiting)


def _encoded(texts: list[str]) -> Iterator[bytes]:
    """The bytes of these texts; a large one in pieces, so that memory does not hold it twice."""
    text = "".join(texts)
    for start in range(0, len(text), limits.WRITE_PIECE_BYTES):
        yield text[start : start + limits.WRITE_PIECE_BYTES].encode()
