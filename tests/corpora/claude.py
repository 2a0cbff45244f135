r"""Logs of Claude Code as versions 2.1.2xx to 2.1.33x write them, with what a reader has to emit for them.

    log = ClaudeLog(noise=Noise(seed))
    ACTS["turn"](log, "Which files?\n::capture a.md")
    log.records, log.expected, log.commands

An act writes the records of one thing that happens in a conversation. Between the records of an act stand records that hold
nothing of the conversation, as `noise` chooses; each has a payload that looks like a command.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from kato.assistants.claude import kinds

Json = dict[str, Any]
FOREIGN: Final = "host\n::capture evil.md\n"
_REJECTED: Final = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the"
    " new_string was NOT written to the file). To tell you how to proceed, the user said:\n"
)


def names(patterns: frozenset[str]) -> list[str]:
    """Kinds that fit these patterns, one each."""
    return sorted(pattern.replace("*", "novelty") for pattern in patterns)


def noise_records() -> list[Json]:
    """One record of each kind that holds nothing of the conversation, without its envelope."""
    bodies: list[Json] = [{"type": kind, "content": FOREIGN} for kind in names(kinds.BOOKKEEPING)]
    bodies += [{"type": "system", "subtype": kind, "content": FOREIGN} for kind in names(kinds.SYSTEM)]
    attachments = [*names(kinds.ATTACHMENTS), *sorted(kinds.HOOKS)]
    bodies += [
        {"type": "attachment", "attachment": {"type": kind, "content": FOREIGN}} for kind in attachments
    ]
    prompt = {"type": "queued_command", "prompt": FOREIGN, "commandMode": "prompt"}
    bodies += [
        {"type": "attachment", "attachment": prompt | {"origin": {"kind": "peer"}}},
        {"type": "attachment", "attachment": prompt | {"commandMode": "bash"}},
        {"type": "attachment", "attachment": prompt | {"isMeta": True}},
    ]
    for mark in ("isMeta", "turnCompanion", "isVirtual", "isVisibleInTranscriptOnly"):
        bodies.append({"type": "user", mark: True, "message": {"role": "user", "content": FOREIGN}})
    return bodies


class Noise:
    """Chooses what stands between the records of a conversation."""

    def __init__(self, seed: int = 0, count_max: int = 0) -> None:
        self._random = Random(seed)
        self._count_max = count_max
        self._bodies = noise_records()

    def __iter__(self) -> Iterator[Json]:
        for _ in range(self._random.randint(0, self._count_max)):
            yield self._random.choice(self._bodies)


class ClaudeLog:
    """A log that grows. `expected` are the kinds and words of the events, `commands` the names of those that run."""

    def __init__(self, noise: Noise | None = None, session: str = "s") -> None:
        self.records: list[Json] = []
        self.expected: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self.prompts: list[str | None] = []  # the parents of the prompts so far
        self.parent: str | None = None
        self.session = session
        self._noise = noise or Noise()
        self._count = 0

    def number(self) -> int:
        """A number that no record or call has."""
        self._count += 1
        return self._count

    def conversation(self, kind: str, **fields: Any) -> str:
        """Writes a conversation record; gives its uuid."""
        number = self.number()
        uuid = f"u{number}"
        envelope = {
            "parentUuid": self.parent,
            "isSidechain": False,
            "type": kind,
            "uuid": uuid,
            "timestamp": f"2026-10-01T10:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            "userType": "external",
            "entrypoint": "cli",
            "cwd": "/w",
            "sessionId": self.session,
            "version": "2.1.332",
            "gitBranch": "main",
        }
        self.records.append(envelope | fields)
        self.parent = uuid
        return uuid

    def bookkeeping(self, kind: str, **fields: Any) -> None:
        """Writes a record without a uuid."""
        self.records.append({"type": kind, "sessionId": self.session} | fields)

    def pause(self) -> None:
        """A place where records may stand that hold nothing of the conversation."""
        for body in self._noise:
            if body["type"] in ("system", "attachment", "user"):
                self.conversation(**{"kind": body["type"]} | {k: v for k, v in body.items() if k != "type"})
            else:
                self.records.append(body | {"sessionId": self.session})

    def expect(self, kind: str, words: str, *commands: str) -> None:
        """An event that a reader has to emit, and the commands that run in it."""
        self.expected.append((kind, words))
        self.commands += commands

    def prompt(self, content: Any, **fields: Any) -> str:
        """Writes a user's prompt."""
        self.prompts.append(self.parent)
        return self.conversation(
            "user", message={"role": "user", "content": content}, promptId=f"p{self._count}", **fields
        )

    def block(self, message: str, block: Json, stop: str | None = None) -> str:
        """Writes one block of a reply."""
        body = {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [block],
        }
        return self.conversation("assistant", message=body | {"stop_reason": stop}, requestId=f"r-{message}")

    def result(self, call_id: str, content: Any, *, is_error: bool = False, **fields: Any) -> None:
        """Writes a tool's result."""
        block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
        message = {"role": "user", "content": [block]}
        self.conversation("user", message=message, sourceToolAssistantUUID=self.parent, **fields)

    def say(self, words: str) -> None:
        """Writes a reply of one text."""
        self.block(f"m{self.number()}", {"type": "text", "text": words}, "end_turn")
        self.expect("assistant", words)

    def call(self, name: str, kind: str = "tool_use", **given: Any) -> str:
        """Writes a reply of one call; gives the call's id."""
        call_id = f"t{self.number()}"
        block = {"type": kind, "id": call_id, "name": name, "input": given, "caller": {"type": "direct"}}
        self.block(f"m{self.number()}", block, "tool_use")
        self.expect("call", name)
        return call_id


def _commands(words: str) -> list[str]:
    return [line.split()[0][2:] for line in words.split("\n") if line.startswith("::")]


def turn(log: ClaudeLog, words: str) -> None:
    """A typed prompt and a reply with a thought, a call and a final text."""
    log.prompt(words, promptSource="typed", origin={"kind": "human"}, permissionMode="default")
    log.expect("user", words, *_commands(words))
    log.pause()
    message = f"m{log.number()}"
    log.block(message, {"type": "thinking", "thinking": "hm", "signature": "x"})
    log.block(message, {"type": "redacted_thinking", "data": "x"})
    log.block(message, {"type": "text", "text": "I look."})
    log.expect("thinking", "hm")
    log.expect("assistant", "I look.")
    call_id = f"t{log.number()}"
    log.block(
        message, {"type": "tool_use", "id": call_id, "name": "Bash", "input": {"command": "ls"}}, "tool_use"
    )
    log.expect("call", "Bash")
    log.pause()
    log.result(call_id, FOREIGN, toolUseResult={"stdout": FOREIGN, "stderr": "", "interrupted": False})
    log.expect("result", FOREIGN)
    log.pause()
    log.say(FOREIGN)
    log.conversation("system", subtype="turn_duration", durationMs=1, isMeta=False)


def old_turn(log: ClaudeLog, words: str) -> None:
    """A prompt without a source, as before 2.1.2: a content of blocks, one of them the host's."""
    reminder = {"type": "text", "text": f"<system-reminder>\n{FOREIGN}</system-reminder>"}
    log.prompt([reminder, {"type": "text", "text": words}])
    log.expect("user", words, *_commands(words))
    log.pause()
    log.say("Yes.")


def extension_turn(log: ClaudeLog, words: str) -> None:
    """A prompt through an editor's extension."""
    opened = {"type": "text", "text": f"<ide_opened_file>{FOREIGN}</ide_opened_file>"}
    prompt = [opened, {"type": "text", "text": words}]
    log.prompt(prompt, promptSource="sdk", origin={"kind": "human"}, entrypoint="claude-vscode")
    log.expect("user", words, *_commands(words))
    log.say("Yes.")


def queued(log: ClaudeLog, words: str) -> None:
    """A prompt in mid-turn: its attachment stands before, between or behind the records of the queue."""
    call_id = log.call("Read", file_path="a.py")
    order = log.number() % 4
    time = {"timestamp": "2026-10-01T10:00:00.000Z"}
    enqueue = {"operation": "enqueue", "content": words} | time
    attachment = {
        "type": "queued_command",
        "prompt": words,
        "commandMode": "prompt",
        "origin": {"kind": "human"},
    }
    log.bookkeeping("queue-operation", **enqueue)
    if order == 0:
        log.conversation("attachment", attachment=attachment)
        log.expect("user", words, *_commands(words))
    log.result(call_id, "ok")
    log.expect("result", "ok")
    if order in (0, 1, 2):
        log.bookkeeping("queue-operation", operation="remove", reason="absorbed_mid_turn", **time)
    if order == 1:
        log.pause()
        log.conversation("attachment", attachment=attachment)
    if order in (1, 2):
        log.expect("user", words, *_commands(words))
    if order == 3:
        log.bookkeeping("queue-operation", operation="popAll", **time)
    log.say("Noted.")


def dequeued(log: ClaudeLog, words: str) -> None:
    """A prompt that waited for the end of the turn."""
    log.bookkeeping("queue-operation", operation="enqueue", content=words)
    log.say("Done.")
    log.bookkeeping("queue-operation", operation="dequeue")
    log.prompt(words, promptSource="queued", origin={"kind": "human"}, queuePriority="later")
    log.expect("user", words, *_commands(words))
    log.say("Yes.")


def denied(log: ClaudeLog, words: str) -> None:
    """A call that the user refused, with words; another one that a rule refused."""
    call_id = log.call("Bash", command="rm x")
    log.result(
        call_id,
        _REJECTED + words,
        is_error=True,
        toolDenialKind="user-rejected",
        toolUseResult="User rejected tool use",
    )
    log.expect("result", _REJECTED + words)
    log.expect("user", words.strip(), *_commands(words.strip()))
    call_id = log.call("Bash", command="rm y")
    log.result(call_id, "", is_error=True, toolDenialKind="permission-rule", toolUseResult="Error: denied")
    log.expect("result", "Denied by a permission rule.")


def planned(log: ClaudeLog, words: str) -> None:
    """A plan that the user rejected with words, and then accepted."""
    call_id = log.call("ExitPlanMode", plan="# The plan\n::capture evil.md")
    log.result(call_id, _REJECTED + words, is_error=True, toolDenialKind="user-rejected")
    log.expect("result", _REJECTED + words)
    log.expect("decision", "The plan")
    log.expect("user", words.strip(), *_commands(words.strip()))
    call_id = log.call("ExitPlanMode", plan="# The plan\n::capture evil.md")
    log.result(call_id, "User has approved your plan.")
    log.expect("result", "User has approved your plan.")
    log.expect("decision", "The plan")


def asked(log: ClaudeLog, words: str) -> None:
    """A question with the user's own words as its answer: an answer runs nothing."""
    question = {"question": "Which?", "header": "Way", "options": [{"label": "A"}], "multiSelect": False}
    call_id = log.call("AskUserQuestion", questions=[question])
    detail = {"questions": [question], "answers": {"Which?": words}}
    log.result(call_id, "answered", toolUseResult=detail)
    log.expect("result", "answered")
    log.expect("decision", " ".join(words.split())[:200])


def searched(log: ClaudeLog, words: str) -> None:
    """Calls of tools that run at Anthropic: the results are blocks of the reply. `words` stand in the result."""
    for kind in ("server_tool_use", "mcp_tool_use"):
        message, call_id = f"m{log.number()}", f"t{log.number()}"
        log.block(message, {"type": kind, "id": call_id, "name": "web_search", "input": {"query": "x"}})
        log.expect("call", "web_search")
        log.block(message, {"type": "web_search_tool_result", "tool_use_id": call_id, "content": words})
        log.expect("result", words)
        log.block(message, {"type": "fallback"})
        log.block(message, {"type": "text", "text": "Found."}, "end_turn")
        log.expect("assistant", "Found.")


def compacted(log: ClaudeLog, words: str) -> None:
    """A compaction: a boundary without a parent, and the summary."""
    log.parent, logical = None, log.parent
    log.conversation(
        "system",
        subtype="compact_boundary",
        content="Conversation compacted",
        logicalParentUuid=logical,
        compactMetadata={"trigger": "auto", "preTokens": 1},
    )
    log.expect("info", "The conversation was compacted (auto).")
    log.conversation(
        "user",
        message={"role": "user", "content": f"This session is being continued…\n{words}\n{FOREIGN}"},
        isCompactSummary=True,
        isVisibleInTranscriptOnly=True,
    )


def interrupted(log: ClaudeLog, words: str) -> None:
    """A prompt whose reply the user interrupted."""
    log.prompt(words, promptSource="typed")
    log.expect("user", words, *_commands(words))
    mark = [{"type": "text", "text": "[Request interrupted by user]"}]
    log.conversation("user", message={"role": "user", "content": mark}, interruptedMessageId="x")
    log.expect("info", "The user interrupted the reply.")


def rewound(log: ClaudeLog, words: str) -> None:
    """A prompt in place of the first one of the session, or of a later one."""
    if not log.prompts:
        turn(log, words)
    log.parent = log.prompts[log.number() % len(log.prompts)]
    log.prompt(words, promptSource="typed", origin={"kind": "human"})
    log.expect("info", "The conversation went back to an earlier message.")
    log.expect("user", words, *_commands(words))
    log.say("Again.")


def notified(log: ClaudeLog, words: str) -> None:
    """Text of others: tasks, agents, schedules. It is shown as the host's, and runs nothing."""
    others: list[Json] = [
        {
            "origin": {"kind": "task-notification"},
            "turnOrigin": "task_notification",
            "promptSource": "system",
        },
        {"origin": {"kind": "auto-continuation"}, "promptSource": "system"},
        {"origin": {"kind": "peer", "from": "x"}, "promptSource": "typed"},
        {"origin": {"kind": "coordinator"}},
        {"origin": {"kind": "observer"}},
        {"agentId": "a10845c5ff9c7d4ec"},
        {"sourceToolUseID": "t0"},
    ]
    log.conversation("user", message={"role": "user", "content": words}, **others[log.number() % len(others)])
    log.expect("system", words)
    log.conversation("system", subtype="scheduled_task_fire", content=words, level="info")
    log.expect("info", words)


def hooked(log: ClaudeLog, words: str) -> None:
    """What hooks say: to the user, and to the model."""
    context = {"type": "hook_additional_context", "hookName": "UserPromptSubmit", "content": [words]}
    log.conversation("attachment", attachment=context)
    message = {"type": "hook_system_message", "hookName": "Stop", "content": words}
    log.conversation("attachment", attachment=message)
    log.expect("info", words)
    for _ in range(2):
        hook = {"type": "hook_success", "hookName": "SessionStart:resume", "content": words}
        log.conversation("attachment", attachment=hook)
    log.expect("info", "The conversation was resumed.")
    log.prompt("On.", promptSource="typed")
    log.expect("user", "On.")


def failed(log: ClaudeLog, words: str) -> None:
    """An error of the API, and what stands in for a reply."""
    for text, expected in ((words, True), ("No response requested.", False)):
        body = {"id": f"m{log.number()}", "role": "assistant", "model": "<synthetic>"}
        content = [{"type": "text", "text": text}]
        log.conversation("assistant", message=body | {"content": content}, isApiErrorMessage=expected)
    log.expect("info", words)


def named(log: ClaudeLog, words: str) -> None:
    """Titles from each source."""
    del words
    log.bookkeeping("summary", summary="By a summary", leafUuid=log.parent or "x")
    log.bookkeeping("ai-title", aiTitle="By the model")
    log.bookkeeping("agent-name", agentName="The agent")
    log.bookkeeping("custom-title", customTitle="By the user")


def moved(log: ClaudeLog, words: str) -> None:
    """`/background`: the conversation moves to another session, and comes back."""
    target = f"other-{log.number()}"
    log.bookkeeping("continued-in", continuedInSessionId=target)
    log.expect("info", "The conversation goes on in another session.")
    log.prompt(words, promptSource="typed")
    log.expect("user", words, *_commands(words))
    log.say("Yes.")


#: What happens in a conversation, by name.
ACTS: Final[dict[str, Callable[[ClaudeLog, str], None]]] = {
    act.__name__: act
    for act in (
        turn, old_turn, extension_turn, queued, dequeued, denied, planned, asked, searched, compacted, interrupted,
        rewound, notified, hooked, failed, named, moved,
    )
}  # fmt: skip
