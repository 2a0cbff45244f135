"""Engines in this process: a real journal, real notes, and windows that stand for processes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from builders import Json, request
from kato.app.build import Assembly
from kato.core import layers
from kato.core.notices import Notice
from kato.core.outcomes import CommandOutcome
from kato.engine import Ticket
from kato.lsp import wire
from kato.storage.journal import Journal
from kato.system.clock import now_ms


class Window:
    """One editor window: an engine with an owner of its own, and what it reported."""

    def __init__(self, tmp_path: Path, name: str = "window-1", **options: Any) -> None:
        self.notes = tmp_path / "notes"
        self.notes.mkdir(exist_ok=True)
        self.alive = {name}
        self.name = name
        self.outcomes: list[CommandOutcome] = []
        self.notices: list[Notice] = []
        explicit = {"stateDir": str(tmp_path / "state")} | options
        chosen = layers.resolve(explicit=explicit, environment={}, file=None, file_name="config.toml")
        self.assembly = Assembly(
            chosen,
            listener=self,
            folders=[str(self.notes)],
            started_at=now_ms(),
            owner=name,
            is_alive=lambda owner: owner in self.alive,
        )
        self.engine = self.assembly.engine

    @property
    def journal(self) -> Journal:
        assert isinstance(self.engine.ledger, Journal)
        return self.engine.ledger

    def append(self, *events: Json, **fields: Any) -> Ticket:
        """Appends and commits."""
        fields = {"cwd": str(self.notes)} | fields
        ticket = self.engine.append(wire.decode_append(request(list(events), **fields)))
        self.engine.commit()
        return ticket

    def beat(self) -> None:
        self.engine.heartbeat()

    def close(self) -> None:
        self.engine.close()

    def changed(self) -> None: ...

    def executed(self, outcome: CommandOutcome) -> None:
        self.outcomes.append(outcome)

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def ran(self) -> list[str]:
        return [f"{one.command} {one.status}" for one in self.outcomes]

    @property
    def kinds(self) -> list[str]:
        return [notice.kind for notice in self.notices]


#: Whether a statement fails: its number from the start, its text, its values.
Fails = Callable[[int, str, Any], bool]


class FaultyConnection:
    """A connection whose statements fail where `fails` is true."""

    def __init__(self, real: sqlite3.Connection, message: str) -> None:
        self.statements: list[str] = []
        self.fails: Fails = never
        self._real = real
        self._message = message

    def _check(self, sql: str, values: Any) -> None:
        self.statements.append(sql)
        if self.fails(len(self.statements) - 1, sql, values):
            raise sqlite3.OperationalError(self._message)

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        self._check(sql, values)
        return self._real.execute(sql, values)

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        self._check(sql, values)
        return self._real.executemany(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def never(number: int, sql: str, values: Any) -> bool:
    return False


def faulty(window: Window, message: str = "database or disk is full") -> FaultyConnection:
    """From now on the window's journal works on a connection that can fail."""
    connection = FaultyConnection(window.journal.database.connection, message)
    window.journal.database.connection = connection  # type: ignore[assignment]
    return connection


def words(path: Path) -> list[str]:
    """The conversation in a note: every line below the frontmatter that is neither blank nor a heading."""
    body = path.read_text().split("---\n\n", 1)[1]
    return [line for line in body.split("\n") if line and not line.startswith("# ")]


MakeWindow = Callable[..., Window]
