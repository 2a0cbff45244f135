"""The conversations on this machine: which there are, what a list shows of them, and which one the user means.

Rule: listing reads the beginning of a log and its end, never the whole.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from kato.assistants.contract import Surroundings
from kato.cli import progress
from kato.core.errors import CommandRefused
from kato.core.settings import Settings
from kato.logs import discovery
from kato.logs.descriptions import DescriptionCache
from kato.logs.discovery import Found, Root
from kato.logs.listing import Listing, describe
from kato.system.folders import is_inside

#: Conversations that an error names.
_NAMED_MAX: Final = 4


class Places(NamedTuple):
    """Where to look for logs: this machine, and the roots of each assistant."""

    surroundings: Surroundings
    roots: Sequence[Root]

    @classmethod
    def of(cls, chosen: Settings) -> "Places":
        """The places that these settings give, for a user in the current folder."""
        surroundings = discovery.surroundings(os.environ, [str(Path.cwd())])
        return cls(surroundings, discovery.roots(surroundings, chosen.provider_session_roots))


def list_found(roots: Sequence[Root], place: Surroundings) -> list[Found]:
    """All logs, the one that changed last first; where an assistant keeps several of a session, the best one."""
    with progress.shown("Looking for session logs"):
        return Listing(roots, place, DescriptionCache(None)).logs()


def pick(all_found: Sequence[Found], wanted: str, place: Surroundings) -> Found:
    """The log of the session with this id, or the beginning of it, or the log at this path. Raises CommandRefused for none or
    several.
    """
    at_path = _at(all_found, wanted)
    if len(at_path) == 1:
        return at_path[0]
    if at_path:
        raise CommandRefused(
            f"{wanted} holds {len(at_path)} conversations: {_first([name_of(one) for one in at_path])}; name one of these"
        )
    provider, slash, name = wanted.partition("/")
    if not slash:
        provider, name = "", wanted
    fitting = [
        found
        for found in all_found
        if (not provider or found.assistant.name == provider) and found.log.session_id.startswith(name)
    ]
    if not fitting:
        # Gemini's file names hold the beginning of the id only.
        fitting = [
            found
            for found in all_found
            if (not provider or found.assistant.name == provider)
            and name.startswith(found.log.session_id)
            and describe(found, place).info.session_id == name
        ]
    exact = [found for found in fitting if found.log.session_id == name]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if not fitting:
        raise CommandRefused(
            f"no conversation {wanted!r} is on this machine; `kato sessions --all` lists them"
        )
    raise CommandRefused(several(wanted, [name_of(found) for found in fitting]))


def _at(all_found: Sequence[Found], path: str) -> list[Found]:
    """The logs in the file at a path."""
    if not Path(path).is_file():
        return []
    real = os.path.realpath(path)
    return [found for found in all_found if os.path.realpath(found.path) == real]


def several(wanted: str, names: Sequence[str]) -> str:
    """Why the beginning of an id that these conversations share names none of them."""
    return f"{wanted!r} could be {len(names)} conversations: {_first(names)}; write more of the id"


def _first(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED_MAX])
    return f"{shown}, …" if len(names) > _NAMED_MAX else shown


def name_of(found: Found) -> str:
    """The name of a conversation that every command takes."""
    return f"{found.assistant.name}/{found.log.session_id}"


def latest(all_found: Sequence[Found], folder: str, place: Surroundings) -> Found:
    """The log that changed last among those of the conversations in this folder. Raises CommandRefused if there is none."""
    for found in all_found:
        if found.log.parent_id is None:
            info = describe(found, place).info
            if info.parent_id is None and is_inside(info.cwd, folder):
                return found
    raise CommandRefused(
        f"no conversation was held in {folder}; `kato sessions` lists those of other folders"
    )
