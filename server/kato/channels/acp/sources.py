"""Whether a session is stored from here or from the agent's own log: decided once for each session.

UNDECIDED ──► LOG     Kato has the session from a log that it reads
          ──► ACP     it has none, and no word of the agent's name or command names an assistant whose logs Kato reads
          ──► HELD    it has none yet, and the agent may write one: the events wait
HELD      ──► LOG     the log came: the events are dropped, because it has them
          ──► ACP     none came within some seconds of the end of a turn: the events are stored
"""

from enum import Enum


class Source(Enum):
    """See the module."""

    UNDECIDED = "undecided"
    HELD = "held"
    LOG = "log"
    ACP = "acp"


def decided(
    source: Source, *, found: str | None, provider: str, may_write_log: bool, is_over: bool
) -> Source:
    """The source from now on. `found` is the provider under which a Kato has the session, `provider` the agent's; `is_over`: no
    log is expected any more.
    """
    if source in (Source.LOG, Source.ACP):
        return source
    if found is not None:
        return Source.ACP if found == provider else Source.LOG
    return Source.ACP if is_over or not may_write_log else Source.HELD
