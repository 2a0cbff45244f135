"""The state of a transcript between two pieces. It is stored with the recording, so that any process can write the next piece."""

from datetime import datetime

from msgspec import Struct

from kato.notes import summary


class WaitingCall(Struct, array_like=True, omit_defaults=True):
    """A call that is shown in full when its result arrives. `arguments` is JSON; `text` is the block, empty until then."""

    call_id: str
    name: str
    arguments: str
    at: datetime
    text: str = ""
    about: str = ""


class TranscriptState(Struct, omit_defaults=True):
    """What the next piece depends on.

    `speaker` and `kind` identify the run of messages that is open; `assistant` is the last assistant's name, `speakers` are all
    names so far. `calls` are the names of open calls by their ids, `said` hashes of the assistant's messages in this turn.
    `cut` is the id of a user message of which a first part was written; `in_list` says whether the last message may end in a
    list. `done` is what the assistant did in this turn, `omitted` how much more it did, `since` when it began. `waiting` are
    calls that are not shown yet; `folder` is the session's folder; `day` is the date of the last heading.
    """

    started: bool = False
    speaker: str = ""
    kind: str = ""
    assistant: str = "Assistant"
    speakers: list[str] = []
    calls: dict[str, str] = {}
    said: list[str] = []
    cut: str = ""
    in_list: bool = False
    done: list[summary.Done] = []
    omitted: int = 0
    since: datetime | None = None
    folder: str = ""
    waiting: list[WaitingCall] = []
    day: str = ""
