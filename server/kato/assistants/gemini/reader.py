"""Gemini CLI: the records of both generations.

    {sessionId, projectHash, startTime, kind, …}     the session, first
    {id, timestamp, type, content, …}                a message; the same id again replaces it
    {"$set": {…}}                                    fields of the session; `messages` is the whole list, written again
    {"$rewindTo": id}                                the conversation went back to before this message

What a rewind takes back was said: it stays, in front of a boundary.
"""

import hashlib
from itertools import takewhile
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.gemini.messages import MESSAGES_MAX, Messages
from kato.assistants.readers import DocumentReader, LinesReader
from kato.assistants.values import object_of, objects_of, remember, text_of

#: Messages to which the conversation went back.
_REWINDS_MAX: Final = 1024


class GeminiDocument(Messages, DocumentReader):
    """Reads a session of the first generation: one JSON document, rewritten as a whole."""

    def _document(self, document: Json) -> None:
        self.take_fields(document)
        for message in objects_of(document, "messages"):
            self.guarded(self.take_message, message)


class GeminiReader(Messages, LinesReader):
    """Reads a session of the second generation: records that add, replace and take back messages."""

    def _begin_messages(self) -> None:
        super()._begin_messages()
        self._current: dict[str, None] = {}  # the ids of the messages that are in the list
        self._rewinds: dict[str, int] = {}

    def _again(self) -> None:
        self._begin_messages()

    def _record(self, record: Json) -> None:
        take = next((take for key, take in self.RECORDS.items() if key in record), None)
        if take is None:
            self.count_unknown("a record without a type", record, None, None)
        else:
            take(self, record)

    def _set(self, record: Json) -> None:
        fields = object_of(record, "$set")
        self.take_fields(fields)
        if "messages" in fields:
            self._rebuild(objects_of(fields, "messages"))

    def _rebuild(self, messages: list[Json]) -> None:
        """The whole list. After a rewind it holds what is kept, under known ids; a compaction brings other ones."""
        kept = {
            message_id: None for message in messages if (message_id := text_of(message, "id")) is not None
        }
        gone = [message_id for message_id in self._current if message_id not in kept]
        if gone and any(message_id not in self._current for message_id in kept):
            event_id = f"compaction:{hashlib.blake2b(repr(gone).encode(), digest_size=8).hexdigest()}"
            self.emit_note(event_id, None, "$set", "The conversation was compacted.", subtype="compaction")
        self.is_copy = True
        for message in messages:
            self.guarded(self.take_message, message)
        self.is_copy = False
        self._current = kept

    def _rewind(self, record: Json) -> None:
        target = text_of(record, "$rewindTo") or ""
        times = self._rewinds.get(target, 0) + 1
        remember(self._rewinds, target, times, _REWINDS_MAX)
        words = self._first_words.get(target)
        sentence = f"Rewound to before “{words}”." if words else "The conversation was taken back."
        event_id = f"rewind:{target}" if times == 1 else f"rewind:{target}:{times}"
        self.emit_note(event_id, None, "$rewindTo", sentence, subtype="rewind")
        kept = takewhile(lambda message_id: message_id != target, self._current)
        # Gemini CLI empties the list when it does not know the message.
        self._current = dict.fromkeys(kept) if target in self._current else {}

    def _append(self, record: Json) -> None:
        self.take_message(record)
        message_id = text_of(record, "id")
        if message_id is not None and message_id not in self._current:
            remember(self._current, message_id, None, MESSAGES_MAX)

    #: Records, by the key that only they have.
    RECORDS: Final = {
        "$set": _set,
        "$rewindTo": _rewind,
        "type": _append,
        "sessionId": Messages.take_fields,
    }
