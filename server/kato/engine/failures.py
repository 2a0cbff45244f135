"""Handles failures after the commit: logs them, so that the work of other sessions goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from kato.core.errors import KatoError

log = logging.getLogger("kato.engine")


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Logs a failure of work that the next heartbeat repeats."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a defect in it must not end the process
        log_failure(what, error)


def log_failure(what: str, error: Exception) -> str:
    """Logs why something failed, a defect with its traceback; returns the reason for the user."""
    if isinstance(error, KatoError | OSError):
        reason = error.message if isinstance(error, KatoError) else error.strerror or type(error).__name__
        log.warning("%s failed: %s", what, reason)
        return reason
    log_defect(log, what, error)
    return internal_error(error)


def log_defect(to: logging.Logger, what: str, error: Exception) -> None:
    """Logs a traceback without the error's text, which may hold text of the conversation."""
    kind = type(error).__name__
    to.error("%s is defective (%s)", what, kind, exc_info=(Exception, Exception(kind), error.__traceback__))


def internal_error(error: Exception) -> str:
    """The reason that the user sees for a defect of Kato."""
    return f"an internal error ({type(error).__name__}); see Kato's log"
