"""`kato hook <host>`: a host runs it with each prompt, with a report as JSON on stdin.

    prompt without a `::` line ─► nothing, immediately
    prompt with one ─► the running Kato that follows the conversation ─► a sentence for the user, in the host's own form

Rules:

- It never fails a prompt: it exits with 0, prints JSON that the host knows or nothing, and ends within about a second.
- It imports next to nothing: the host waits for it with each prompt.
- It changes nothing by itself. What it cannot find out in time is left to the session's log.
- Behind `kato acp` it does nothing: that process sees the same prompts, and answers them.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from kato.channels import BEHIND_ACP
from kato.channels.hooks.hosts import HOSTS, Answer, Host, Json
from kato.system import local_sockets

#: As long as an id of a session may be (`limits.ID_CHARS_MAX`, which this module does not import).
ID_CHARS_MAX: Final = 512
_REPORT_BYTES_MAX: Final = 8 * 1024 * 1024
_PROMPT_CHARS_MAX: Final = 200_000
_LOOK_SECONDS: Final = 0.3
_ANSWER_SECONDS: Final = 0.7

NOT_RUNNING: Final = "not running"
NOT_FOLLOWED: Final = "running, but in other folders"
#: What to do about a prompt that the assistant never sees, and about one that its log will contain.
_STOPPED: Final = "so nothing was done. Open this folder in an editor with Kato, or run `kato watch` in a terminal, then type the command again"
_WENT_ON: Final = (
    "so the command waits. Open this folder in an editor with Kato, or run `kato watch` in a terminal: it runs what was typed in"
    " the last minutes of a conversation that it knows. Type the command again if it does not"
)
BUSY: Final = "busy; the command runs as soon as it can"


def main(arguments: list[str]) -> int:
    """Answers one report; always 0."""
    try:
        host = HOSTS.get(arguments[0]) if arguments else None
        if host is not None:
            output = respond(host, sys.stdin.buffer.read(_REPORT_BYTES_MAX), os.environ)
            if output is not None:
                sys.stdout.write(json.dumps(output))
                sys.stdout.flush()
    except Exception:  # noqa: BLE001 - whatever goes wrong here, the user's prompt goes on
        return 0
    return 0


def respond(host: Host, data: bytes, environment: Mapping[str, str]) -> Json | None:
    """What the host reads on stdout; None for nothing. Raises for a report that is broken."""
    silent = host.reply(Answer("", stop=False)) if host.reply_event else None
    if environment.get(BEHIND_ACP) or (b"::" not in data and not host.reply_event):
        return silent
    report = json.loads(data)
    about = _about(host, report)
    if about is None:
        return silent
    if host.reply_event:
        return _pushed(host, report, about, environment) or silent
    prompt = report.get("prompt")
    if not isinstance(prompt, str) or len(prompt) > _PROMPT_CHARS_MAX or not _may_hold_commands(prompt):
        return silent
    asked = {"prompt": prompt, "isTyped": host.is_typed(report), "canStop": host.can_stop}
    answer = _ask(about, asked, environment)
    return silent if answer is None else host.reply(answer)


def _about(host: Host, report: Any) -> Json | None:
    """Which conversation a report is about; None where it does not say."""
    session = report.get(host.session) if isinstance(report, dict) else None
    if not isinstance(session, str) or not 0 < len(session) <= ID_CHARS_MAX:
        return None
    about: Json = {"provider": host.name, "sessionId": session}
    for field, name in (("transcript", "transcript_path"), ("cwd", "cwd")):
        value = report.get(name)
        if isinstance(value, str) and value:
            about[field] = value
    folders = report.get("workspace_roots")
    if "cwd" not in about and isinstance(folders, list) and folders and isinstance(folders[0], str):
        about["cwd"] = folders[0]
    return about


def _may_hold_commands(prompt: str) -> bool:
    """Whether a line begins as a command does."""
    return any(line.lstrip()[:2] == "::" for line in prompt.splitlines())


def _ask(about: Json, asked: Json, environment: Mapping[str, str]) -> Answer | None:
    """Asks the Kato that follows the conversation, and lets the others know what it did. None: nothing to say."""
    running = local_sockets.ask_all(
        local_sockets.sockets(environment), {"op": "look", **about}, _LOOK_SECONDS
    )
    follower = local_sockets.nearest(running)
    if follower is None:
        is_busy = any(answer is None for _, answer in running)
        if is_busy:
            return Answer(f"Kato: {BUSY}", stop=False)
        return _unanswered(asked, NOT_FOLLOWED if running else NOT_RUNNING)
    answer = local_sockets.ask(follower, {"op": "prompt", **about, **asked}, _ANSWER_SECONDS)
    stop = answer is not None and answer.get("stop") is True
    note = {"op": "note", **about, "prompt": asked["prompt"], "isTyped": asked["isTyped"], "isHandled": stop}
    others = [path for path, _ in running if path != follower]
    local_sockets.ask_all(others, note, _LOOK_SECONDS)
    if answer is None:
        return Answer(f"Kato: {BUSY}", stop=False)
    message = answer.get("message")
    return Answer(f"Kato: {message}", stop) if isinstance(message, str) and message else None


def _unanswered(asked: Json, reason: str) -> Answer | None:
    """Without a Kato that follows the conversation: reports this if the prompt has a command, and stops one that has nothing
    else, because no message of it is of use to the assistant.
    """
    from kato.core import grammar  # noqa: PLC0415 - a hundred times as much as this module

    commands, problems = grammar.parse(asked["prompt"])
    if not commands and not problems:
        return None
    stop = asked["isTyped"] and asked["canStop"] and grammar.holds_commands_alone(asked["prompt"])
    return Answer(f"Kato: {reason}, {_STOPPED if stop else _WENT_ON}", stop)


def _pushed(host: Host, report: Json, about: Json, environment: Mapping[str, str]) -> Json | None:
    """Gives a message to Kato, for a host whose logs Kato does not read."""
    is_reply = report.get("hook_event_name") == host.reply_event
    text, turn = report.get("text" if is_reply else "prompt"), report.get(host.turn)
    if not isinstance(text, str) or not isinstance(turn, str) or len(text) > _PROMPT_CHARS_MAX:
        return None
    sockets = local_sockets.sockets(environment)
    follower = local_sockets.nearest(local_sockets.ask_all(sockets, {"op": "look", **about}, _LOOK_SECONDS))
    if follower is None:
        may_hold = not is_reply and _may_hold_commands(text)
        answer = (
            _unanswered({"prompt": text, "isTyped": True, "canStop": True}, NOT_RUNNING) if may_hold else None
        )
        return None if answer is None else host.reply(answer)
    message = {
        "op": "message",
        **about,
        "turn": turn,
        "role": "assistant" if is_reply else "user",
        "text": text,
    }
    found = local_sockets.ask(follower, message, _ANSWER_SECONDS) or {}
    if is_reply or not isinstance(found.get("message"), str):
        return None
    return host.reply(Answer(f"Kato: {found['message']}", found.get("stop") is True))
