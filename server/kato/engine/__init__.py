"""The owner of all state: appends, commands, recordings and the memory budget. Knows no protocol and no log file."""

from kato.engine.appends import AppendAnswer, AppendRequest, Ticket
from kato.engine.budget import MemoryBounds
from kato.engine.destinations import Locations
from kato.engine.engine import Engine
from kato.engine.failures import log_defect, log_failure
from kato.engine.reading import Page
from kato.engine.settings import EngineSettings

__all__ = [
    "AppendAnswer",
    "AppendRequest",
    "Engine",
    "EngineSettings",
    "Locations",
    "MemoryBounds",
    "Page",
    "Ticket",
    "log_defect",
    "log_failure",
]
