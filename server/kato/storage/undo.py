"""Transactions in memory: every change of a table is recorded with what undoes it."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class UndoLog:
    """The transactions of a ledger in memory, which behave like those of the journal: the *group*, which `begin` opens and
    `commit` ends, and the block of `exclusive`. A change outside of both cannot be undone.
    """

    def __init__(self) -> None:
        self._in_group = False
        self._exclusive_depth = 0
        self._undo: list[Callable[[], object]] = []  # the newest change last

    def begin(self) -> None:
        """Opens the group, unless a transaction is open."""
        self._in_group = self._in_group or not self._exclusive_depth

    def commit(self) -> None:
        """Ends the group; its changes stay. Does nothing in an exclusive block."""
        if not self._exclusive_depth:
            self._in_group = False
            self._undo.clear()

    def rollback(self) -> None:
        """Undoes all changes of the group, or of the exclusive block."""
        self._in_group = False
        while self._undo:
            self._undo.pop()()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A transaction, as in the journal. There are no other processes to keep out."""
        self.commit()
        self._exclusive_depth += 1
        try:
            yield
        except BaseException:
            if self._exclusive_depth == 1:
                self.rollback()
            raise
        finally:
            self._exclusive_depth -= 1
            self.commit()

    def add(self, undo: Callable[[], object]) -> None:
        """Adds what undoes a change that the caller made in a transaction."""
        self._undo.append(undo)

    def put(self, table: MutableMapping[_K, _V], key: _K, value: _V | None) -> None:
        """Sets an entry as the newest of its table, or removes it (None)."""
        if self._in_group or self._exclusive_depth:
            old = table.get(key)
            self._undo.append(lambda: _set(table, key, old))
        _set(table, key, value)


def _set(table: MutableMapping[_K, _V], key: _K, value: _V | None) -> None:
    table.pop(key, None)
    if value is not None:
        table[key] = value
