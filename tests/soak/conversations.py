"""What was said in a soak, and what Kato reported: the data that the oracles compare."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from expected import FromEditor, Message, Outcome, Place
from peer import Json


@dataclass
class Conversation:
    """One conversation, in the order in which it was held. Kato makes the ids of a conversation that comes from a log
    (`has_own_ids` is false): its messages have other ids here.
    """

    name: str
    provider: str
    session_id: str
    folder: Path
    items: list[Message | FromEditor] = field(default_factory=list)
    has_own_ids: bool = True
    #: Its events were removed by `kato clean`; its notes stay.
    is_cleaned: bool = False

    @property
    def key(self) -> Json:
        """The session, as a request names it."""
        return {"provider": self.provider, "sessionId": self.session_id}

    @property
    def messages(self) -> list[Message]:
        """What was said, without the editor's commands."""
        return [item for item in list(self.items) if isinstance(item, Message)]

    def say(self, text: str, *, by_user: bool) -> Message:
        """The next message."""
        message = Message(f"{self.name}-e{len(self.items)}", text, by_user)
        self.items.append(message)
        return message


class Edit(NamedTuple):
    """A line that the user wrote into a note."""

    path: Path
    line: str


@dataclass
class Book:
    """All that happened, for the checks at the end and the summary."""

    conversations: list[Conversation] = field(default_factory=list)
    outcomes: list[Json] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, by: int = 1) -> None:
        """For the summary."""
        with self._lock:
            self.counts[what] += by

    def wrong(self, problem: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.problems.append(problem)

    def begin(self, conversation: Conversation) -> Conversation:
        """A new conversation."""
        with self._lock:
            self.conversations.append(conversation)
            self.counts["conversations"] += 1
        return conversation

    def executed(self, params: Json) -> None:
        """An outcome that a window reported."""
        with self._lock:
            self.outcomes.append(params)
            self.counts[f"outcomes: {params['status']}"] += 1

    def reported(self, conversation: Conversation) -> dict[Place, list[Outcome]]:
        """The outcomes of the typed commands of a conversation."""
        found: dict[Place, list[Outcome]] = {}
        for one in list(self.outcomes):
            if (one["provider"], one["sessionId"]) != (conversation.provider, conversation.session_id):
                continue
            if "eventId" in one:
                outcome = Outcome(one["status"], one.get("outputPath"))
                found.setdefault(Place(one["eventId"], one["line"]), []).append(outcome)
        return found

    def dump(self, path: Path) -> None:
        """Writes everything as JSON lines, to find the cause of a problem."""
        with path.open("wb") as file:
            for conversation in self.conversations:
                for item in conversation.items:
                    file.write(orjson.dumps([conversation.name, conversation.session_id, *item]) + b"\n")
            for outcome in self.outcomes:
                file.write(orjson.dumps(outcome) + b"\n")
