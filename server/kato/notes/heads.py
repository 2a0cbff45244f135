"""The head of a note: its frontmatter, its title, and the file name of a note for which the user gave none."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import PurePath

from kato.core import paths
from kato.core.errors import WriteFailed
from kato.core.events import SessionKey
from kato.core.moments import in_zone
from kato.core.records import SessionRecord
from kato.notes import frontmatter
from kato.notes.files import NoteFile
from kato.notes.transcript import Transcript
from kato.notes.transcripts import Transcripts


class Heads:
    """See the module. `now_ms` is the clock, in milliseconds since 1970; `random_bytes` gives the bytes of ids."""

    def __init__(
        self, transcripts: Transcripts, *, now_ms: Callable[[], int], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._transcripts = transcripts
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    def default_file_name(self, session: SessionRecord) -> str:
        """The name of a note for which the user gave none."""
        return paths.default_file_name(
            self._about(session),
            when_ms=session.created_at,
            tz=self._transcripts.tz,
            key=session.key,
            template=self._transcripts.options.file_name,
            cwd=session.cwd,
            branch=session.branch,
        )

    def title(self, path: str, session: SessionRecord) -> str:
        """The title of a note: from its file name if the user chose it, else what the conversation is about."""
        about = self._about(session)
        is_own_name = PurePath(path).name == self.default_file_name(session)
        if about is not None and (is_own_name or paths.says_nothing(path, session.key)):
            return about
        return self._masked(paths.title_from_filename(path)) or about or "Conversation"

    def _title_of(self, path: str, key: SessionKey) -> str | None:
        """The title that the note at a path got from a session; None if the session is not known."""
        session = self._transcripts.find_session(key)
        return None if session is None else self.title(path, session)

    def _about(self, session: SessionRecord) -> str | None:
        """What a conversation is about, without secrets."""
        about = session.title or session.snippet
        return None if about is None else self._masked(about)

    def _masked(self, text: str) -> str:
        return self._transcripts.masked(text)[0]

    def head(
        self,
        path: str,
        there: NoteFile | None,
        session: SessionRecord,
        transcript: Transcript,
        recording_id: str | None,
        missing: int,
    ) -> bytes:
        """The frontmatter of a note, encoded: adopted from the file that is there, or new, or empty if the settings want none.
        `missing` counts the conversation's events that could not be read. Raises WriteFailed for frontmatter that is invalid.
        """
        now = self._now_ms()
        fields = frontmatter.NoteFields(
            id=frontmatter.make_id(self._random_bytes(32)),
            title=self.title(path, session),
            updated=now,
            created=now,
            provider=session.key.provider,
            session_id=session.key.session_id,
            participants=transcript.speakers,
            tags=("kato",),
            recording_ids=() if recording_id is None else (recording_id,),
            truncated_events=missing,
            chosen=self._chosen(session, transcript),
        )
        if there is not None and there.frontmatter is not None:
            try:
                return frontmatter.adopt(there.frontmatter, fields, partial(self._title_of, path)).encode()
            except frontmatter.FrontmatterInvalid as error:
                raise WriteFailed(f"the note's frontmatter cannot be kept: {error}", path) from error
        if not self._transcripts.options.include_frontmatter:
            return b""
        return frontmatter.new(fields).encode()

    def _chosen(self, session: SessionRecord, transcript: Transcript) -> dict[str, str | int | Sequence[str]]:
        """The frontmatter's fields that the settings choose, as far as they are known."""
        facts = transcript.facts
        known: dict[str, str | int | Sequence[str] | None] = {
            "started": self._moment(facts.started),
            "ended": self._moment(facts.ended),
            "cwd": session.cwd,
            "branch": session.branch,
            "tokens": session.tokens,
            "models": list(facts.models),
            "files": list(facts.files),
            "turns": facts.turns,
            "redactions": facts.redactions,
        }
        return {
            key: value
            for key, value in known.items()
            if value and key in self._transcripts.options.frontmatter_fields
        }

    def _moment(self, moment: datetime | None) -> str | None:
        return None if moment is None else in_zone(moment, self._transcripts.tz).isoformat(timespec="seconds")
