"""Own-made logs of Codex: a conversation as its versions write it, each thing that is said or done in all of its records.

Pure: the same conversation gives the same log. `expected` says what a reader must make of it.
"""

import json
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

Json = dict[str, Any]
Expected = list[tuple[str, str]]


class Version(Enum):
    """How a version writes its logs. From 0.147 on, items stand for events."""

    EVENTS = "0.125.0"
    ITEMS = "0.147.0"
    KINDS = "0.154.0"  # items, and the history says what each part of a message is

    @property
    def is_paginated(self) -> bool:
        return self is not Version.EVENTS


class Act(NamedTuple):
    """Something that is said or done in a turn. `text` is the words, the command, the path …; `result` what it gave;
    `is_reversed` puts records that may come in either order in the other one.
    """

    kind: str
    text: str
    result: str = ""
    exit_code: int = 0
    is_reversed: bool = False


#: The kinds of act, and whose words their texts are.
ACTS = """said host thought answered planned ran ran_long patched asked outside searched spawned drew reviewed shell hook
    compacted took_back""".split()

Turns = Sequence[Sequence[Act]]


def log(turns: Turns, version: Version) -> list[Json]:
    """The records of a log."""
    return list(_Writer(version).records(turns))


def expected(turns: Turns, version: Version) -> Expected:
    """What the events of a log say: the kind of each, in short, and its words."""
    return [event for turn in turns for act in turn for event in _expected(act, version)]


def _expected(act: Act, version: Version) -> Expected:
    failed = f"{act.result}\n[exit code {act.exit_code}]" if act.exit_code else act.result
    found: dict[str, Expected] = {
        "said": [("user", act.text)],
        "host": [],
        "thought": [("thinking", act.text)],
        "answered": [("assistant", act.text)],
        "planned": [("assistant", act.text)],
        "ran": [("call", "exec_command"), ("result", failed)],
        "ran_long": [("call", "exec_command"), ("result", f"{act.result}\n{failed}")],
        "patched": [("call", "apply_patch"), ("result", act.result)],
        "asked": [("call", "request_user_input"), ("result", _answers(act)), ("decision", act.result.replace("\n", " "))],
        "outside": [("call", "gh.list"), ("result", act.result)],
        "searched": [("call", "web_search")],
        "spawned": [("call", "spawn_agent"), ("result", act.result)],
        "drew": [("call", "image_generation"), ("result", "[image: /w/x.png]")],
        "reviewed": [("info", "the changes"), ("assistant", _findings(act))],
        "shell": [("call", "user_shell"), ("result", failed)],
        "hook": [("info", act.text)] if version.is_paginated else [],
        "compacted": [("info", "The conversation was compacted.")],
        "took_back": [("info", "The last turn was taken back.")],
    }  # fmt: skip
    return found[act.kind]


class _Writer:
    def __init__(self, version: Version) -> None:
        self._version = version
        self._number = 0  # of records
        self._acts = 0
        self._turn = ""

    def records(self, turns: Turns) -> Iterator[Json]:
        mode = {"history_mode": "paginated"} if self._version.is_paginated else {}
        about = {"id": "s", "cwd": "/w", "cli_version": self._version.value, "source": "cli"}
        yield self._record("session_meta", about | mode | {"base_instructions": {"text": "::stop"}})
        for number, acts in enumerate(turns):
            self._turn = f"turn-{number}"
            yield self._event(type="task_started", turn_id=self._turn, started_at=1_777_629_600)
            yield self._record("turn_context", {"turn_id": self._turn, "cwd": "/w", "model": "gpt-5.5"})
            yield self._message(
                "developer", ["<permissions instructions>\n::stop\n</permissions instructions>"], ["x"]
            )
            for act in acts:
                self._acts += 1
                yield from self._act(act)
            yield self._event(type="token_count", info={"total_token_usage": {"total_tokens": 1}})
            yield self._event(type="task_complete", turn_id=self._turn, last_agent_message="::stop")
        yield self._record("world_state", {"full": True, "state": {"note": "::stop"}})

    # --- Records ----------------------------------------------------------------------------------------

    def _record(self, kind: str, payload: Json) -> Json:
        minute, second = divmod(self._number, 60)
        record: Json = {"timestamp": f"2026-05-01T{10 + minute // 60}:{minute % 60:02d}:{second:02d}.000Z"}
        if self._version.is_paginated:
            record["ordinal"] = self._number
        self._number += 1
        return record | {"type": kind, "payload": payload}

    def _event(self, **payload: Any) -> Json:
        return self._record("event_msg", payload)

    def _history(self, **payload: Any) -> Json:
        return self._record("response_item", payload)

    def _item(self, **item: Any) -> Json:
        item = {"id": f"item-{self._acts}"} | item
        return self._event(type="item_completed", thread_id="s", turn_id=self._turn, item=item)

    def _event_or_item(self, event: Json, item: Json) -> Json:
        """An event, or the item that stands for it."""
        return self._item(**item) if self._version.is_paginated else self._event(**event)

    def _message(self, role: str, texts: Sequence[str], kinds: Sequence[str], **more: Any) -> Json:
        part = "output_text" if role == "assistant" else "input_text"
        about: Json = {"turn_id": self._turn}
        if self._version is Version.KINDS:
            about["content_item_kinds"] = list(kinds)
        return self._history(
            type="message",
            id=f"msg_{self._acts}",
            role=role,
            content=[{"type": part, "text": text} for text in texts],
            internal_chat_message_metadata_passthrough=about,
            **more,
        )

    def _call(self, name: str, given: Json, **more: Any) -> Json:
        return self._history(
            type="function_call", name=name, arguments=json.dumps(given), call_id=self._call_id, **more
        )

    def _output(self, output: object, call_id: str = "") -> Json:
        return self._history(type="function_call_output", call_id=call_id or self._call_id, output=output)

    @property
    def _call_id(self) -> str:
        return f"call-{self._acts}"

    def _act(self, act: Act) -> Iterator[Json]:
        made = getattr(self, f"_{act.kind}")(act)
        *first, last = made
        # Those that may come in either order are the last two.
        if act.is_reversed and self._has_twins_at_the_end(act):
            first, last = [*first[:-1], _at(last, first[-1])], _at(first[-1], last)
        yield from [*first, last]

    def _has_twins_at_the_end(self, act: Act) -> bool:
        return act.kind in _EITHER_ORDER or (
            act.kind in _EITHER_ORDER_OF_ITEMS and self._version.is_paginated
        )

    # --- Words ------------------------------------------------------------------------------------------

    def _said(self, act: Act) -> list[Json]:
        content = [{"type": "text", "text": act.text, "text_elements": []}]
        return [
            self._message("user", [act.text], ["user.text"]),
            self._event_or_item({"type": "user_message", "message": act.text, "images": []}, {"type": "UserMessage", "content": content}),
        ]  # fmt: skip

    def _host(self, act: Act) -> list[Json]:
        texts = [
            f"# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\n{act.text}\n</INSTRUCTIONS>",
            f"<environment_context>\n<cwd>/w</cwd>\n{act.text}\n</environment_context>",
        ]
        return [self._message("user", texts, ["agents_md.instructions", "environments.environment_context"])]

    def _thought(self, act: Act) -> list[Json]:
        item = {"type": "Reasoning", "summary_text": [act.text], "raw_content": []}
        summary = [{"type": "summary_text", "text": act.text}]
        return [
            self._event_or_item({"type": "agent_reasoning", "text": act.text}, item),
            self._history(type="reasoning", id=f"rs_{self._acts}", summary=summary, encrypted_content="gAAA"),
        ]

    def _answered(self, act: Act) -> list[Json]:
        item = {
            "type": "AgentMessage",
            "content": [{"type": "Text", "text": act.text}],
            "phase": "commentary",
        }
        return [
            self._event_or_item({"type": "agent_message", "message": act.text, "phase": "commentary"}, item),
            self._message("assistant", [act.text], ["assistant.text"], phase="commentary"),
        ]

    def _planned(self, act: Act) -> list[Json]:
        tagged = f"<proposed_plan>\n{act.text}\n</proposed_plan>"
        return [
            self._item(type="Plan", text=act.text),
            self._message("assistant", [tagged], ["assistant.text"]),
        ]

    def _reviewed(self, act: Act) -> list[Json]:
        review = {"target": {"type": "uncommittedChanges"}, "user_facing_hint": "the changes"}
        output = {"overall_explanation": _findings(act), "findings": []}
        action = (
            f"<user_action>\n<action>review</action>\n<results>\n{_findings(act)}\n</results>\n</user_action>"
        )
        return [
            self._event_or_item({"type": "entered_review_mode"} | review, {"type": "EnteredReviewMode", "review": review}),
            self._message("user", [action], ["review.exit"]),
            self._event_or_item({"type": "exited_review_mode", "review_output": output}, {"type": "ExitedReviewMode", "review_output": output}),
        ]  # fmt: skip

    def _hook(self, act: Act) -> list[Json]:
        text = f'<hook_prompt hook_run_id="h">\n{act.text}\n</hook_prompt>'
        message = self._message("user", [text], ["hooks.prompt"])
        if not self._version.is_paginated:
            return [message]
        return [message, self._item(type="HookPrompt", fragments=[{"text": act.text, "hookRunId": "h"}])]

    # --- Calls ------------------------------------------------------------------------------------------

    def _ran(self, act: Act) -> list[Json]:
        head = f"Chunk ID: a1\nWall time: 0.1 seconds\nProcess exited with code {act.exit_code}\nOutput:\n"
        records = [self._call("exec_command", {"cmd": act.text}), self._output(head + act.result)]
        return [*records, self._command_item(act, act.result)] if self._version.is_paginated else records

    def _ran_long(self, act: Act) -> list[Json]:
        """A command that goes on, and a poll of it."""
        head = "Chunk ID: a1\nWall time: 9.0 seconds\n"
        process = f"Process running with session ID {self._acts}\nOutput:\n"
        ended = f"Process exited with code {act.exit_code}\nOutput:\n"
        poll_id = f"poll-{self._acts}"
        given = json.dumps({"session_id": self._acts, "chars": ""})
        records = [
            self._call("exec_command", {"cmd": act.text}),
            self._output(f"{head}{process}{act.result}\n"),
            self._history(type="function_call", name="write_stdin", arguments=given, call_id=poll_id),
            self._output(f"{head}{ended}{act.result}", poll_id),
        ]
        both = f"{act.result}\n{act.result}"
        return [*records, self._command_item(act, both)] if self._version.is_paginated else records

    def _command_item(self, act: Act, output: str) -> Json:
        command = {"command": ["/bin/bash", "-lc", act.text], "cwd": "/w", "source": "unified_exec_startup"}
        status = "failed" if act.exit_code else "completed"
        ended = {"aggregated_output": output, "exit_code": act.exit_code, "status": status}
        return self._item(type="CommandExecution", **{"id": self._call_id} | command | ended)

    def _shell(self, act: Act) -> list[Json]:
        result = f"Exit code: {act.exit_code}\nDuration: 0.1 seconds\nOutput:\n{act.result}"
        inner = f"<command>\n{act.text}\n</command>\n<result>\n{result}\n</result>"
        message = self._message(
            "user", [f"<user_shell_command>\n{inner}\n</user_shell_command>"], ["user_shell_command"]
        )
        if not self._version.is_paginated:
            return [message]
        ran = {"command": ["/bin/bash", "-lc", act.text], "source": "user_shell"}
        ended = {"aggregated_output": act.result, "exit_code": act.exit_code}
        return [message, self._item(type="CommandExecution", **ran | ended)]

    def _patched(self, act: Act) -> list[Json]:
        changes = {act.text: {"type": "update", "unified_diff": "@@ -1 +1 @@\n-a\n+b\n", "move_path": None}}
        ended = {"changes": changes, "stdout": act.result, "stderr": "", "status": "completed"}
        output = json.dumps({"output": act.result, "metadata": {"exit_code": 0}})
        return [
            self._history(type="custom_tool_call", name="apply_patch", input="*** Begin Patch", call_id=self._call_id),
            self._event_or_item({"type": "patch_apply_end", "call_id": self._call_id} | ended, {"type": "FileChange", "id": self._call_id} | ended),
            self._history(type="custom_tool_call_output", call_id=self._call_id, output=output),
        ]  # fmt: skip

    def _asked(self, act: Act) -> list[Json]:
        question = {"id": "q", "header": "Store", "question": act.text, "options": [{"label": "A"}]}
        return [self._call("request_user_input", {"questions": [question]}), self._output(_answers(act))]

    def _outside(self, act: Act) -> list[Json]:
        result = {"content": [{"type": "text", "text": act.result}]}
        invocation = {"server": "gh", "tool": "list", "arguments": {"query": act.text}}
        event = {
            "type": "mcp_tool_call_end",
            "call_id": self._call_id,
            "invocation": invocation,
            "result": {"Ok": result},
        }
        item = {
            "type": "McpToolCall",
            "id": self._call_id,
            "status": "completed",
            "result": result,
        } | invocation
        return [
            self._call("list", {"query": act.text}, namespace="mcp__gh__"),
            self._event_or_item(event, item),
            self._output([{"type": "input_text", "text": act.result}]),
        ]

    def _searched(self, act: Act) -> list[Json]:
        action = {"type": "search", "query": act.text}
        about = {"query": act.text, "action": action}
        event, item = (
            {"type": "web_search_end", "call_id": f"ws-{self._acts}"},
            {"type": "WebSearch", "id": f"ws-{self._acts}"},
        )
        return [
            self._event_or_item(event | about, item | about),
            self._history(type="web_search_call", id=f"ws-{self._acts}", status="completed", action=action),
        ]

    def _spawned(self, act: Act) -> list[Json]:
        started = {"kind": "started", "agent_path": "/root/a"}
        event = {
            "type": "sub_agent_activity",
            "event_id": self._call_id,
            "agent_thread_id": f"child-{self._acts}",
        } | started
        item = {
            "type": "SubAgentActivity",
            "id": self._call_id,
            "agentThreadId": f"child-{self._acts}",
        } | started
        return [
            self._call("spawn_agent", {"message": act.text}),
            self._event_or_item(event, item),
            self._output(act.result),
        ]

    def _drew(self, act: Act) -> list[Json]:
        made = {
            "status": "completed",
            "revised_prompt": act.text,
            "result": "QUJD" * 500,
            "saved_path": "/w/x.png",
        }
        event, item = (
            {"type": "image_generation_end", "call_id": self._call_id},
            {"type": "ImageGeneration", "id": self._call_id},
        )
        return [
            self._event_or_item(event | made, item | made),
            self._history(type="image_generation_call", id=self._call_id),
        ]

    # --- The host ---------------------------------------------------------------------------------------

    def _compacted(self, act: Act) -> list[Json]:
        history = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": act.text}]}]
        return [
            self._record("compacted", {"message": act.text, "replacement_history": history}),
            self._event_or_item({"type": "context_compacted"}, {"type": "ContextCompaction"}),
        ]

    def _took_back(self, act: Act) -> list[Json]:
        del act
        return [self._event(type="thread_rolled_back", num_turns=1)]


#: Acts whose last two records come in either order; and those of which it is so where there are items.
_EITHER_ORDER = frozenset("thought answered planned patched outside searched spawned drew compacted".split())
_EITHER_ORDER_OF_ITEMS = frozenset(["ran", "shell"])


def _at(record: Json, other: Json) -> Json:
    """A record at the place of another."""
    return record | {key: other[key] for key in ("timestamp", "ordinal") if key in other}


def _findings(act: Act) -> str:
    """The text of a review; the same text just before it would be the review itself."""
    return f"I found this:\n{act.text}"


def _answers(act: Act) -> str:
    return json.dumps({"answers": {"q": {"answers": [act.result]}}})
