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
    """Reads a log of JSON objects, one on each line, and from a damaged line the objects that are whole (see `decoding`)."""

    #: The keys that every record of a conversation has. An object inside a damaged record is taken for a record if it has them.
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
        """Reads the log's next bytes. Keeps an incomplete line until the rest comes."""
        for line, is_shortened in self._lines.feed(self._utf8.feed(data)):
            if is_shortened:
                self.report("oversize_line", f"over {limits.LOG_LINE_BYTES_MAX // limits.MIB} MiB")
            if line is not None and not self._fits(line):
                self.report("oversize_line", NO_ROOM)
                line, is_shortened = without_long_strings(line), True  # noqa: PLW2901 - the shortened line
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
        """Whether a line continues the record that the line before left open. Some programs write the line breaks inside a
        string unescaped.
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
        """Reads the lines that waited for the end of a string as separate lines."""
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
        """Emits what was held back because more could have followed. A complete last line needs no line break."""
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
        """Starts from the beginning: the log was replaced or truncated, and its first bytes come next."""
        self._begin()
        self._forget()
        self._again()

    @abstractmethod
    def _record(self, record: Json) -> None:
        """Reads one record."""

    def _quiet(self) -> None:
        """Emits what was held back. Most readers hold nothing back."""

    @abstractmethod
    def _again(self) -> None:
        """Forgets everything about the records so far, because the log is read from its beginning."""


class DocumentReader(BaseReader):
    """Reads a log that is one JSON document, which the assistant replaces as a whole."""

    def __init__(self, log: LogFile) -> None:
        super().__init__(log)
        self._text = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> ReadResult:
        """Collects the document's next bytes; `settle` reads it."""
        if not self._too_long:
            self._text += data
            if len(self._text) > limits.LOG_DOCUMENT_BYTES_MAX:
                self._too_long = True
                self._text = bytearray()
                self.report("oversize_line", f"over {limits.LOG_DOCUMENT_BYTES_MAX // limits.MIB} MiB")
        return self._taken()

    def settle(self) -> ReadResult:
        """Reads the document. An incomplete one is reported, and is read when it changes."""
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
        """Starts from the beginning: the document was replaced, and its first bytes come next."""
        self._text = bytearray()
        self._too_long = False
        self._forget()

    @abstractmethod
    def _document(self, document: Json) -> None:
        """Reads the whole document."""
