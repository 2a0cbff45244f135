"""The assistants that keep their logs as another one does. One entry an assistant."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from kato.assistants.claude import CLAUDE
from kato.assistants.codex import CODEX
from kato.assistants.contract import Assistant, LogFile, Surroundings
from kato.assistants.forks.fork import command, fork, projects_in, with_file
from kato.assistants.forks.iflow import IflowReader
from kato.assistants.forks.records import CommandCodeReader, WorkBuddyReader
from kato.core.tools import minor, read_command, read_list, read_several, table

# --- TraeX ---------------------------------------------------------------------------------------------------


def _of_traex(place: Surroundings) -> list[str]:
    home = place.variable("TRAECLI_HOME", place.path(place.variable("TRAE_HOME", ".trae"), "cli"))
    return [place.path(home, "sessions"), place.path(home, "archived_sessions")]


# --- Qoder: the CLI, the editor, QoderWork ------------------------------------------------------------------------


def _of_qoder(place: Surroundings) -> list[str]:
    homes = [place.path(place.home, name, "projects") for name in (".qoder", ".qoder-cn", ".qoderwork")]
    editors = [
        place.path(place.applications, name, "SharedClientCache", "cli", "projects")
        for name in ("Qoder", "QoderCN")
    ]
    return homes + editors


_TRANSCRIPT: Final = "transcript"


def _match_qoder(parts: Sequence[str]) -> LogFile | None:
    """Claude Code's files, and the editor's chats: in a folder `<slug>/transcript`, or directly in the root."""
    if len(parts) != 1 and not (len(parts) == 3 and parts[1] == _TRANSCRIPT):
        return CLAUDE.match(parts)
    log = CLAUDE.match(["", parts[-1]])
    return None if log is None or log.parent_id is not None else replace(log, variant=_TRANSCRIPT)


def _resume_qoder(log: LogFile, session_id: str) -> Sequence[str] | None:
    return None if log.variant == _TRANSCRIPT else ("qodercli", "--resume", session_id)


FORKS: Final[tuple[Assistant, ...]] = (
    fork(CODEX, "traex", "TraeX", roots=_of_traex, resume=command("traex", "resume")),
    fork(
        CLAUDE,
        "openclaude",
        "OpenClaude",
        roots=projects_in(".openclaude", moved_by="OPENCLAUDE_CONFIG_DIR"),
        resume=command("openclaude", "--resume"),
    ),
    fork(
        CLAUDE,
        "qoder",
        "Qoder",
        roots=_of_qoder,
        match=with_file(_match_qoder, "-session.json"),
        resume=_resume_qoder,
    ),
    fork(
        CLAUDE,
        "iflow",
        "iFlow",
        roots=projects_in(".iflow"),
        match=lambda parts: CLAUDE.match(parts) if parts[-1].startswith("session-") else None,
        reader=IflowReader,
        resume=command("iflow", "--resume"),
    ),
    fork(
        CLAUDE,
        "commandcode",
        "Command Code",
        roots=projects_in(".commandcode"),
        match=with_file(CLAUDE.match, ".meta.json", is_log=lambda name: name.count(".") == 1),
        reader=CommandCodeReader,
        tools=table(
            (read_command, "shell_command"),
            (read_several, "read_multiple_files"),
            (read_list, "read_directory"),
        )
        | minor(["agent_output", "bash_output"]),
        resume=command("commandcode", "--resume"),
        has_global_ids=False,
    ),
    fork(
        CLAUDE,
        "workbuddy",
        "WorkBuddy",
        roots=projects_in(".workbuddy"),
        reader=WorkBuddyReader,
        has_global_ids=False,
    ),
)
