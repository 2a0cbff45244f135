"""Keeps the faults of a plugin's reader to the log that it reads: what it raises becomes a problem."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from kato.assistants.builder import BaseReader
from kato.assistants.contract import LogFile, Problem, Reader, ReadResult, Surroundings

MakeReader = Callable[[LogFile, Mapping[str, bytes], Surroundings], Reader]


def guarded(make: MakeReader, provider: str) -> MakeReader:
    """A function that makes the plugin's readers, each of which raises nothing."""

    def make_guarded(log: LogFile, companions: Mapping[str, bytes], place: Surroundings) -> Reader:
        try:
            reader = make(log, companions, place)
        except Exception as error:  # noqa: BLE001 - whatever a plugin does, the other logs are read
            reader = _NoReader(log, provider, error)
        return cast("Reader", _Guard(reader))

    return make_guarded


class _Guard:
    """A reader as it is, except that what its methods raise becomes a problem."""

    def __init__(self, reader: Reader) -> None:
        object.__setattr__(self, "_reader", reader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._reader, name, value)

    def feed(self, data: bytes) -> ReadResult:
        return self._result(lambda: self._reader.feed(data))

    def settle(self) -> ReadResult:
        return self._result(self._reader.settle)

    def _result(self, read: Callable[[], ReadResult]) -> ReadResult:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - as above
            return ReadResult([], [_failure(error)])


class _NoReader(BaseReader):
    """Stands for a reader that could not be made."""

    def __init__(self, log: LogFile, provider: str, error: Exception) -> None:
        super().__init__(log)
        self.provider = provider
        self._failure = _failure(error)

    def feed(self, data: bytes) -> ReadResult:
        """Reads nothing."""
        del data
        return ReadResult([], [self._failure])

    def settle(self) -> ReadResult:
        """Reads nothing."""
        return ReadResult([], [])

    def restart(self) -> None:
        """Reads nothing."""


def _failure(error: Exception) -> Problem:
    return Problem("invalid_record", f"the reader failed: {type(error).__name__}")
