"""The conformance kit finds readers that break a rule of the contract, and names the rule and the place."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kato.assistants.contract import Assistant, Json, LogFile, ReadResult
from kato.assistants.readers import LinesReader
from kato.assistants.values import identifier, moment, text_of
from kato.testing import check_reader
from providers.reading import lines

TYPED = ["How are you?\n::capture note.md", "Bye"]
LOG = lines(
    {"type": "user", "id": "1", "at": "2026-05-01T10:00:00Z", "text": TYPED[0]},
    {"type": "reply", "id": "2", "at": "2026-05-01T10:00:01Z", "text": "Fine ü", "model": "m"},
    {"type": "user", "id": "3", "at": "2026-05-01T10:00:02Z", "text": TYPED[1]},
)


class Sound(LinesReader):
    """A reader of an invented format, that keeps the contract."""

    provider = "plain"

    def _record(self, record: Json) -> None:
        kind, text = text_of(record, "type"), text_of(record, "text") or ""
        at = moment(record.get("at"))
        record_id = text_of(record, "id") or identifier("none", kind or "", text)
        if kind == "user":
            self.emit_user(record_id, at, "user", text)
        elif kind == "reply":
            self.emit_assistant(record_id, at, "reply", text, model=self.model(record))
        else:
            self.emit_unknown(kind or "a record without a type", record, record_id, at)

    def model(self, record: Json) -> str | None:
        return text_of(record, "model")

    def _again(self) -> None: ...


class OtherWords(Sound):
    def emit_user(self, event_id: str, at: Any, kind: str, content: str, *args: Any, **kwargs: Any) -> None:
        super().emit_user(event_id, at, kind, content.replace("?", ""), *args, **kwargs)


class OfPieces(Sound):
    def feed(self, data: bytes) -> ReadResult:
        return super().feed(data if data.endswith(b"\n") else data + b" ")


class Forgetful(Sound):
    """Reads a line that is not complete yet as one that is damaged."""

    def settle(self) -> ReadResult:
        return super().feed(b"\n") if self._lines.rest else super().settle()


class Counting(Sound):
    count = 0

    def _record(self, record: Json) -> None:
        self.count += 1
        super()._record({**record, "id": f"{record.get('id')}.{self.count}"})


class CountingCopies(Counting):
    def _again(self) -> None:
        self.count = 0


class Credulous(Sound):
    """Takes the assistant's words for the user's where they hold a command."""

    def emit_assistant(
        self, event_id: str, at: Any, kind: str, content: str, *args: Any, **kwargs: Any
    ) -> None:
        if "::" in content:
            self.emit_user(event_id, at, kind, content)
        else:
            super().emit_assistant(event_id, at, kind, content, *args, **kwargs)


class Trusting(Sound):
    def model(self, record: Json) -> str | None:
        return record["model"]  # type: ignore[no-any-return]


class Strict(Sound):
    def feed(self, data: bytes) -> ReadResult:
        if b"\xff" in data:
            raise ValueError("not UTF-8")
        return super().feed(data)


class TwiceCounting(Sound):
    """Counts the tokens of a log that it reads again on top of the first ones."""

    def _record(self, record: Json) -> None:
        self.tokens = (self.tokens or 0) + 1
        super()._record(record)


class MadeUpTokens(Sound):
    def _record(self, record: Json) -> None:
        self.tokens = record.get("text")
        super()._record(record)


class Elsewhere(Sound):
    provider = "other"


def assistant(reader: Callable[[LogFile], Sound]) -> Assistant:
    return Assistant(
        "plain",
        "Plain",
        roots=lambda place: [place.home],
        match=lambda parts: LogFile(parts[-1]),
        enter=lambda _: True,
        reader=lambda log, _companions, _place: reader(log),
    )


def test_a_sound_reader_passes() -> None:
    check_reader(assistant(Sound), LOG, typed=TYPED)


def test_a_log_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "session-1.jsonl"
    path.write_bytes(LOG)
    check_reader(assistant(Sound), path, typed=TYPED)


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (OtherWords, "plain [whole] the whole log: messages of the user: expected "),
        (Elsewhere, "plain [whole] the whole log: an event of the provider 'other'"),
        (OfPieces, "plain [pieces] in single bytes: "),
        (Forgetful, "plain [truncated] a pause at byte 1: "),
        (Counting, "plain [again] the second time: events: expected "),
        (TwiceCounting, "plain [again] the second time: facts: expected "),
        (MadeUpTokens, "plain [whole] the whole log: raises ValidationError"),
        (CountingCopies, "plain [copied] each line twice: ids: expected "),
        (Credulous, "plain [commands] record 2['text'] holds a command: a command runs that was not typed"),
        (Trusting, "plain [any JSON] record 2['model'] is True: raises ValidationError"),
        (Strict, "plain [any bytes] bytes that are not UTF-8 alone: raises ValueError: not UTF-8"),
    ],
)
def test_a_reader_that_breaks_a_rule_is_found(reader: type[Sound], message: str) -> None:
    with pytest.raises(AssertionError) as failure:
        check_reader(assistant(reader), LOG, typed=TYPED)
    assert str(failure.value).startswith(message)


def test_words_that_the_sample_does_not_declare_are_found() -> None:
    with pytest.raises(AssertionError, match=r"\[whole\] the whole log: messages of the user"):
        check_reader(assistant(Sound), LOG, typed=TYPED[:1])


def test_the_kit_needs_no_test_framework() -> None:
    program = (
        "import sys, kato.testing; print(sorted({'pytest', 'hypothesis', 'unittest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
