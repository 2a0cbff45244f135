"""Gemini CLI: the records of both generations.

    {sessionId, projectHash, startTime, kind, …}     the session, first
    {id, timestamp, type, content, …}                a message; the same id again replaces it
    {"$set": {…}}                                    fields of the session; `messages` is the whole list, written again
    {"$rewindTo": id}                                the conversation went back to before this message

What a rewind takes back was said: it stays, in front of a boundary.
"""

import hashlib
from typing import Final

from kato.assistants.contract import Json
from kato.assistants.gemini.messages import Messages
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
        self._rewinds: dict[str, int] = {}

    def _again(self) -> None:
        self._begin_messages()

    def _record(self, record: Json) -> None:
        take = next((take for key, take in self.RECORDS.items() if key in record), None)
        if take is None:
            self.emit_unknown("a record without a type", record, None, None)
        else:
            take(self, record)

    def _set(self, record: Json) -> None:
        fields = object_of(record, "$set")
        self.take_fields(fields)
        if "messages" in fields:
            self._rebuild(objects_of(fields, "messages"))

    def _rebuild(self, messages: list[Json]) -> None:
        """The whole list. After a rewind it holds what is kept, under known ids; a compaction brings other ones."""
        kept = {text_of(message, "id") for message in messages}
        gone = [message_id for message_id in self._emitted if message_id not in kept]
        if gone and any(message_id not in self._emitted for message_id in kept):
            event_id = f"compaction:{hashlib.blake2b(repr(gone).encode(), digest_size=8).hexdigest()}"
            self.emit_note(event_id, None, "$set", "The conversation was compacted.", subtype="compaction")
        self.is_copy = True
        for message in messages:
            self.guarded(self.take_message, message)
        self.is_copy = False

    def _rewind(self, record: Json) -> None:
        target = text_of(record, "$rewindTo") or ""
        times = self._rewinds.get(target, 0) + 1
        remember(self._rewinds, target, times, _REWINDS_MAX)
        words = self._first_words.get(target)
        sentence = f"Rewound to before “{words}”." if words else "The conversation was taken back."
        event_id = f"rewind:{target}" if times == 1 else f"rewind:{target}:{times}"
        self.emit_note(event_id, None, "$rewindTo", sentence, subtype="rewind")

    #: Records, by the key that only they have.
    RECORDS: Final = {
        "$set": _set,
        "$rewindTo": _rewind,
        "type": Messages.take_message,
        "sessionId": Messages.take_fields,
    }
