"""The engine owns all state: appends, commands, recordings and the memory budget. It depends on no protocol and no log format.

engine                       the order of work: append, commit, flush
appends, claims, execution   requests in groups, commands in their order, what became of them
commands, destinations       what each command does, and where notes go
recordings, continuations    notes that grow, and conversations that go on in another session
residency, budget, reading   what is in memory, how much, and reads
status, notices, failures    what clients and users see
"""

from kato.engine.appends import AppendAnswer, AppendRequest, Ticket
from kato.engine.budget import MemoryBounds
from kato.engine.destinations import Locations
from kato.engine.engine import Engine
from kato.engine.failures import log_defect, log_failure
from kato.engine.notices import limit_not_kept, over_budget
from kato.engine.reading import Page
from kato.engine.recordings import NoteState
from kato.engine.settings import EngineSettings

__all__ = [
    "AppendAnswer",
    "AppendRequest",
    "Engine",
    "EngineSettings",
    "Locations",
    "MemoryBounds",
    "NoteState",
    "Page",
    "Ticket",
    "limit_not_kept",
    "log_defect",
    "log_failure",
    "over_budget",
]
