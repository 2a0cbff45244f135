"""The notices of the engine: what happened, why, and what the user can do. One function for each."""

from pathlib import PurePath
from typing import Any

from kato.core import limits
from kato.core.commands import DoubtfulCommand
from kato.core.errors import BudgetExceeded, JournalUnavailable, KatoError
from kato.core.events import SessionKey
from kato.core.notices import Notice
from kato.core.ports import Ledger
from kato.core.records import Claim, Recording
from kato.engine.budget import MemoryBounds
from kato.notes.notebook import Replaced
from kato.system import zstd


def name_of(ledger: Ledger, key: SessionKey) -> str:
    """A session as its user knows it."""
    session = ledger.session(key)
    about = None if session is None else session.title or session.snippet
    name = f"{key.provider}/{key.session_id}"
    return name if about is None else f"“{about}”, {name}"


# --- Commands ---------------------------------------------------------------------------------------------


def command_failed(key: SessionKey, name: str, error: KatoError, message: str) -> Notice:
    """A command did not run. `message` is the error's, shortened for display."""
    data = {"command": name, **_session(key), "code": error.code}
    data |= {field: error.data[field] for field in ("path", "rule") if field in error.data}
    return Notice("command_failed", "error", f"::{name} failed: {message}", data)


def command_delayed(key: SessionKey, name: str, error: JournalUnavailable) -> Notice:
    """A command waits until the journal can be written again."""
    message = f"::{name} waits: {error.message}. Kato tries again at each heartbeat."
    return Notice("command_delayed", "warning", message, {"command": name, **_session(key)})


def command_doubtful(claim: Claim, command: DoubtfulCommand) -> Notice:
    """A line looks like a command and was not run."""
    others = (
        f" {command.omitted} more commands of the message were not run either." if command.omitted else ""
    )
    message = (
        f"“{command.text}” was not run: {command.reason}.{others} To run it, send the line in a message of its own, or use "
        f"the editor's command kato.{command.name}."
    )
    data = {
        **_session(claim.key),
        "eventId": claim.event_id,
        "line": command.line,
        "text": command.text,
        "command": command.name,
        "reason": command.reason,
    }
    return Notice("command_not_run", "warning", message, data)


def too_many_commands(key: SessionKey) -> Notice:
    """An append held more commands than Kato runs."""
    count = limits.COMMANDS_PER_APPEND_MAX
    message = (
        f"More than {count} commands came together; those after the first {count} were not run. To run one, type it "
        "in a message of its own."
    )
    return Notice("command_not_run", "warning", message, _session(key))


def text_backed_up(ledger: Ledger, path: str, replaced: Replaced) -> Notice:
    """A note that a command replaced held other text, which was copied."""
    former = "text that Kato had not written"
    data: dict[str, Any] = {"path": path, "backupPath": replaced.backup_path}
    if replaced.session is not None:
        former = f"another conversation ({name_of(ledger, replaced.session)})"
        data |= _session(replaced.session)
    message = f"{path} held {former}; Kato copied it to {replaced.backup_path} first."
    return Notice("text_backed_up", "warning", message, data)


def recording_stopped(ledger: Ledger, stopped: Recording, key: SessionKey, backup_path: str | None) -> Notice:
    """A command of session `key` replaced the note of a recording, which stopped. A note has one conversation: the user must
    know that the first one is not recorded any more.
    """
    cause = "it was exported" if stopped.key == key else f"{name_of(ledger, key)} was written"
    message = (
        f"Recording of {name_of(ledger, stopped.key)} to {stopped.output_path} stopped, because {cause} to the same file. "
        "Use ::record or ::capture with another path to go on."
    )
    data = _recording(stopped)
    if backup_path is not None:
        data["backupPath"] = backup_path
    return Notice("recording_stopped", "warning", message, data)


def folder_ignored(path: str) -> Notice:
    """Conversations of a folder are not kept."""
    message = (
        f"Kato keeps nothing of the conversations in {PurePath(path).parent} from now on: {path} is there. Remove the file to "
        "resume; `kato clean --ignored` removes what was kept."
    )
    return Notice("folder_ignored", "info", message, {"path": path})


# --- Recordings -------------------------------------------------------------------------------------------


def recording_paused(recording: Recording, reason: str) -> Notice:
    """A recording's note cannot be written now."""
    message = f"Recording to {recording.output_path} is paused: {reason}. Kato tries again at each heartbeat and adds what is missing."
    return Notice("recording_paused", "error", message, _recording(recording) | {"reason": reason})


def recording_resumed(recording: Recording) -> Notice:
    """A recording that was paused is up to date."""
    message = f"Recording to {recording.output_path} goes on; the missing lines are written."
    return Notice("recording_resumed", "info", message, _recording(recording))


def note_missing(recording: Recording) -> Notice:
    """A recording's note is missing, and Kato did not find it under another name."""
    message = (
        f"Recording is paused: {recording.output_path} is gone. "
        "Put the note back, capture the conversation again, or stop the recording."
    )
    return Notice("note_missing", "warning", message, _recording(recording))


def older_version_saved(recording: Recording) -> Notice:
    """An editor saved an older version of a note over text that Kato had appended."""
    message = (
        f"An older version of {recording.output_path} was saved over what Kato had appended. Kato appended the missing "
        "lines again. If you deleted them on purpose, delete them again: then they stay deleted."
    )
    return Notice("note_repaired", "warning", message, _recording(recording))


def saved_without_text(recording: Recording) -> Notice:
    """An editor saved a note without text that Kato had sent to it."""
    message = f"{recording.output_path} was saved without text that Kato had added to it: Kato adds it again."
    return Notice("note_repaired", "info", message, _recording(recording))


# --- The process ------------------------------------------------------------------------------------------


def over_budget(ledger: Ledger, error: BudgetExceeded) -> Notice:
    """One session outgrew the memory budget: the process ends."""
    data = error.data | {"reason": error.message}
    if error.session is None:
        return Notice("over_budget", "error", f"Kato stops: {error.message}.", data)
    mb = limits.MIB
    message = (
        f"Kato stops: the conversation {name_of(ledger, error.session)} alone needs {error.data['neededBytes'] / mb:.1f} MB of "
        f"memory; the limit leaves {error.data['budgetBytes'] / mb:.1f} MB: raise daemonMaxMemoryMb or lower maxEventsPerSession."
    )
    record = ledger.session(error.session)
    title = None if record is None else record.title or record.snippet
    data |= _session(error.session) | ({} if title is None else {"title": title})
    return Notice("over_budget", "error", message, data)


def limit_not_kept(bounds: MemoryBounds) -> Notice:
    """The process cannot keep its limit, which bounds the snapshots alone."""
    limit, smallest = bounds.daemon_max_bytes // limits.MIB, bounds.smallest_limit_mb
    message = (
        f"Kato cannot keep its process below {limit} MB: the limit bounds the conversations in memory alone. "
        f"The smallest limit for the whole process is {smallest} MB (daemonMaxMemoryMb)."
    )
    data = {"limitBytes": bounds.daemon_max_bytes, "smallestLimitBytes": smallest * limits.MIB}
    return Notice("limit_not_kept", "warning", message, data)


def journal_lost(error: JournalUnavailable) -> Notice:
    """The journal's file is gone."""
    return Notice("journal_lost", "error", f"Kato: {error.message}.", error.data)


def watcher_failed(reason: str, remedy: str) -> Notice:
    """Not all folders with session logs are watched."""
    message = (
        f"Kato cannot watch all folders with session logs: {reason}. Kato looks at them every second instead."
    )
    return Notice(
        "watcher_failed", "warning", f"{message} {remedy}".rstrip(), {"reason": reason, "cure": remedy}
    )


def zstandard_missing(count: int) -> Notice:
    """Logs are compressed, and this Python cannot decompress them."""
    logs = "a session log that is" if count == 1 else "session logs that are"
    message = (
        f"Kato cannot read {logs} compressed with Zstandard (Codex compresses old ones): this Python lacks the package. "
        f"Run {zstd.INSTALL}, then restart Kato."
    )
    return Notice("package_missing", "warning", message, {"package": "kato-lsp[zstd]", "cure": zstd.INSTALL})


def _session(key: SessionKey) -> dict[str, Any]:
    return {"provider": key.provider, "sessionId": key.session_id}


def _recording(recording: Recording) -> dict[str, Any]:
    """What a client needs to offer a remedy for a recording."""
    return {"recordingId": recording.recording_id, "path": recording.output_path, **_session(recording.key)}
