"""Readers of the shapes that logs have: JSON lines, and one JSON document."""

from abc import abstractmethod
from typing import ClassVar

from kato.assistants.builder import NO_ROOM, BaseReader
from kato.assistants.contract import (
    Json,
    LogFile,
    ReadResult,
)
from kato.assistants.decoding import (
    BLANK,
    Decoded,
    LineSplitter,
    Utf8,
    decode,
    document,
    quotes,
    whole,
    without_long_strings,
)
from kato.core import limits
from kato.core.lenient_json import loads


class LinesReader(BaseReader):
    """A log of JSON objects, one a line; a damaged line gives what can be read of it (see `decoding`)."""

    #: The keys that every record of a conversation has: what is found inside a damaged record is one if it has them.
    record_keys: ClassVar[frozenset[str]] = frozenset(["type", "timestamp"])

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._begin()

    def _begin(self) -> None:
        self._utf8 = Utf8()
        self._lines = LineSplitter()
        self._open: list[bytes] = []  # the lines of a record that ended inside a string
        self._open_bytes = 0
        self._tries = 0

    def feed(self, data: bytes) -> ReadResult:
        """Takes the log's next bytes; the rest of an unfinished line is kept until more comes."""
        for line, is_shortened in self._lines.feed(self._utf8.feed(data)):
            if is_shortened:
                self.report("oversize_line", f"over {limits.LOG_LINE_BYTES_MAX // limits.MIB} MiB")
            if line is not None and not self._fits(line):
                self.report("oversize_line", NO_ROOM)
                line, is_shortened = without_long_strings(line), True  # noqa: PLW2901 - what is left of it
                if not self._fits(line):
                    continue
            if line is not None:
                self._line(line, is_shortened=is_shortened)
        return self._taken()

    def _line(self, line: bytes, *, is_shortened: bool = False) -> None:
        if self._open and self._joins(line):
            return
        try:
            value = loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):  # nearly every line is one whole record
            self.guarded(self._record, value)
            return
        decoded = decode(line, self.record_keys)
        if is_shortened:
            decoded = decoded._replace(damage=None)  # it is counted already
        elif decoded.is_open and not decoded.found:
            self._open, self._open_bytes, self._tries = [line], len(line), 0
            return
        self._take(decoded)

    def _joins(self, line: bytes) -> bool:
        """Whether a line goes on with the record that the line before left open: some programs write the line breaks of a
        string as they are.
        """
        if line.lstrip(BLANK).startswith(b"{") and any(one.value for one in whole(line) or ()):
            self._give_up()
            return False
        self._open.append(line)
        self._open_bytes += len(line)
        if quotes(line) % 2:  # the string ended
            self._tries += 1
            text = b"\n".join(self._open)
            if not self._fits(text):
                self.report("oversize_line", NO_ROOM)
                self._open = []
                return True
            joined = decode(text)
            if joined.damage is None:
                self._open = []
                self._take(joined)
            elif not joined.is_open:
                self._give_up()
        if (
            len(self._open) > limits.LOG_JOINED_LINES_MAX
            or self._open_bytes > limits.LOG_LINE_BYTES_MAX
            or self._tries > limits.LOG_LINE_TRIES_MAX
        ):
            self._give_up()
        return True

    def _give_up(self) -> None:
        """The lines that waited for the end of a string are lines by themselves."""
        lines, self._open = self._open, []
        for line in lines:
            self._take(decode(line, self.record_keys))

    def _take(self, decoded: Decoded) -> None:
        if decoded.damage is not None:
            self.report("broken_line", decoded.damage)
        for value, is_doubtful in decoded.found:
            if not isinstance(value, dict):
                self.report("invalid_record", "not an object")
                continue
            self._is_recovered = is_doubtful
            self.guarded(self._record, value)
            if is_doubtful:
                self._hand_out()  # a later record, which is whole, must not emit what this one left
                self._is_recovered = False

    def _hand_out(self) -> None:
        self.guarded(lambda _: self._quiet(), {"type": "what was held back"})

    def settle(self) -> ReadResult:
        """The log has been quiet for a while: hands out what was held back because more might have come. A last line that
        is whole needs no line break.
        """
        rest = self._lines.rest
        if rest.rstrip(BLANK).endswith(b"}"):
            for lines in ([*self._open, rest], [rest]):
                if whole(b"\n".join(lines)):
                    self._lines.drop_rest()
                    self._open = [] if len(lines) > 1 else self._open
                    self._line(b"\n".join(lines))
                    break
        if not self._lines.rest:
            self._give_up()
        self._hand_out()
        return self._taken(is_quiet=True)

    def restart(self) -> None:
        """The log was replaced or truncated: the next bytes are its first."""
        self._begin()
        self._forget()
        self._again()

    @abstractmethod
    def _record(self, record: Json) -> None:
        """Takes one record."""

    def _quiet(self) -> None:
        """Hands out what was held back; most readers hold nothing back."""

    @abstractmethod
    def _again(self) -> None:
        """Forgets what was gathered from the records before."""


class DocumentReader(BaseReader):
    """A log that is one JSON document, replaced as a whole."""

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._text = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> ReadResult:
        """Takes the document's next bytes; it is read when it is whole (`settle`)."""
        if not self._too_long:
            self._text += data
            if len(self._text) > limits.LOG_DOCUMENT_BYTES_MAX:
                self._too_long = True
                self._text = bytearray()
                self.report("oversize_line", f"over {limits.LOG_DOCUMENT_BYTES_MAX // limits.MIB} MiB")
        return self._taken()

    def settle(self) -> ReadResult:
        """Reads the document, if it is whole: one that is being written is waited for."""
        text, self._text = bytes(self._text), bytearray()
        if not self._fits(text):
            self.report("oversize_line", NO_ROOM)
        elif text.strip(BLANK):
            try:
                found = document(text)
            except ValueError as error:
                self.report("broken_line", str(error))
            else:
                self.guarded(self._document, found if isinstance(found, dict) else {"document": found})
        return self._taken(is_quiet=True)

    def restart(self) -> None:
        """The document was replaced: the next bytes are its first."""
        self._text = bytearray()
        self._too_long = False
        self._forget()

    @abstractmethod
    def _document(self, document: Json) -> None:
        """Takes the whole document."""
