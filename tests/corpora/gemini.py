r"""Logs of Gemini CLI as versions 0.40 to 0.56 write them, with what a reader has to emit for them.

    log = GeminiLog()
    ACTS["turn"](log, "Which files?\n::capture a.md")
    log.records, log.expected, log.commands

`messages` is the list of messages as Gemini CLI holds it: the records append to it, replace in it and write it again.
"""

from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]
FOREIGN: Final = "host\n::capture evil.md\n"
CONTEXT: Final = f"<session_context>\nThis is the Gemini CLI.\n{FOREIGN}</session_context>"


class GeminiLog:
    """A log that grows. `expected` are the kinds and words of the events, `commands` the names of those that run."""

    def __init__(self) -> None:
        self.records: list[Json] = []
        self.expected: list[tuple[str, str]] = []
        self.commands: list[str] = []
        self.messages: list[Json] = []
        self._count = 0
        head = {"sessionId": "s", "projectHash": "x", "startTime": self.time(), "lastUpdated": self.time()}
        self.records.append(head | {"kind": "main"})
        self.rebuild([self.made("user", [{"text": CONTEXT}])])

    def number(self) -> int:
        """A number that no message or call has."""
        self._count += 1
        return self._count

    def time(self) -> str:
        return f"2026-08-20T10:{self._count // 60 % 60:02d}:{self._count % 60:02d}.000Z"

    def made(self, kind: str, content: Any, **fields: Any) -> Json:
        """A message with an id of its own."""
        ident = f"m{self.number()}"
        return {"id": ident, "timestamp": self.time(), "type": kind, "content": content} | fields

    def write(self, message: Json) -> Json:
        """Appends a message, or replaces the one with its id; then the time of the last change."""
        self.messages = [one for one in self.messages if one["id"] != message["id"]] + [message]
        self.records += [message, {"$set": {"lastUpdated": self.time()}}]
        return message

    def rebuild(self, messages: list[Json]) -> None:
        """Writes the whole list."""
        self.messages = messages
        self.records.append({"$set": {"messages": messages, "lastUpdated": self.time()}})

    def expect(self, kind: str, words: str, *commands: str) -> None:
        """An event that a reader has to emit, and the commands that run in it."""
        self.expected.append((kind, words))
        self.commands += commands

    def prompt(self, words: str) -> Json:
        """Writes a prompt of one part."""
        message = self.write(self.made("user", [{"text": words}]))
        self.expect("user", words, *_commands(words))
        return message

    def say(self, words: str) -> Json:
        """Writes a reply of one text; its counts of tokens come later."""
        message = self.write(self.made("gemini", words, thoughts=[], tokens=None, model="gemini-x"))
        self.expect("assistant", words)
        return self.write(message | {"tokens": {"input": 1, "output": 1, "total": 2}})

    def call(self, name: str, given: Json, output: Json, status: str = "success", **fields: Any) -> str:
        """Writes a reply of one call, which ends with `output` as its response; gives the call's id."""
        call_id = f"c{self.number()}"
        call = {"id": call_id, "name": name, "args": given, "timestamp": self.time(), "status": "executing"}
        reply = self.made("gemini", "", thoughts=[], tokens=None, model="gemini-x")
        self.write(reply | {"toolCalls": [call]})
        response = {"functionResponse": {"id": call_id, "name": name, "response": output}}
        done = call | {"status": status, "result": [response], "displayName": name} | fields
        self.write(reply | {"toolCalls": [done]})
        self.write(self.made("user", [response]))
        self.expect("call", name)
        return call_id


def _commands(words: str) -> list[str]:
    return [line.split()[0][2:] for line in words.split("\n") if line.startswith("::")]


def turn(log: GeminiLog, words: str) -> None:
    """A prompt and a reply with thoughts, a call and a final text."""
    log.prompt(words)
    thought = {"subject": "Reading", "description": "The file first.", "timestamp": log.time()}
    reply = log.made("gemini", f"I look {log.number()}.", thoughts=[thought], tokens=None, model="gemini-x")
    log.write(reply)
    log.expect("thinking", "**Reading** — The file first.")
    log.expect("assistant", reply["content"])
    log.call("run_shell_command", {"command": "ls"}, {"output": FOREIGN})
    log.expect("result", FOREIGN)
    log.call(
        "web_fetch", {"prompt": "x"}, {"output": f"<untrusted_context>\n{FOREIGN}\n</untrusted_context>"}
    )
    log.expect("result", FOREIGN)
    log.say(f"{FOREIGN}{log.number()}")


def displayed(log: GeminiLog, words: str) -> None:
    """A prompt with a file that it refers to: `displayContent` is what was typed."""
    words = f"see @a.md\n{words}"
    parts = [{"text": words}, {"text": "\n--- Content from referenced files ---"}, {"text": FOREIGN}]
    log.write(log.made("user", parts, displayContent=[{"text": words}]))
    log.expect("user", words, *_commands(words))


def expanded(log: GeminiLog, words: str) -> None:
    """A slash command of the user's own: the content is its file's."""
    del words
    typed = f"/review {log.number()}.py"
    log.write(log.made("user", [{"text": f"Review {log.number()}.\n{FOREIGN}"}], displayContent=typed))
    log.expect("user", typed)


def hooked(log: GeminiLog, words: str) -> None:
    """A prompt to which a hook added a part."""
    log.write(log.made("user", [{"text": words}, {"text": f"<hook_context>\n{FOREIGN}</hook_context>"}]))
    log.expect("user", words, *_commands(words))


def steered(log: GeminiLog, words: str) -> None:
    """A prompt in the middle of a turn."""
    text = f"User steering update:\n<user_input>\n{words}\n</user_input>\nInternal instruction: Re-evaluate the plan."
    log.write(log.made("user", [{"text": text}]))
    log.expect("user", words, *_commands(words))


def driven(log: GeminiLog, words: str) -> None:
    """Messages that the host writes in the user's name."""
    del words
    for text in (
        CONTEXT,
        f"Here is the user's editor context as a JSON object.\n{FOREIGN}",
        f"Here is a summary of changes in the user's editor context\n{FOREIGN}",
        f"I'm currently working in the directory: /w\nHere is the folder structure of the current …\n{FOREIGN}",
        f"I'm currently working in the following directories:\n  - /w\n  - /v\n Folder structures are as follows:\n{FOREIGN}",
    ):
        log.write(log.made("user", [{"text": text}]))
    for text in (
        "Please continue.",
        "System: Please continue.",
        f"System: Potential loop detected.\n{FOREIGN}",
    ):
        log.write(log.made("user", [{"text": text}]))
        log.expect("system", text.strip())
    log.write(log.made("user", "/help"))
    ack = {"text": "Binary content received. Proceeding with analysis.", "thought": True}
    log.write(log.made("gemini", [ack], thoughts=[]))


def shelled(log: GeminiLog, words: str) -> None:
    """`!command`: it runs no command of Kato's, and neither does its output."""
    text = f"I ran the following shell command:\n```sh\n{words}\n```\n\nThis produced the following result:\n```\n{FOREIGN}```"
    log.write(log.made("user", [{"text": text}]))
    log.expect("user", f"!{words}")
    log.expect("call", "user_shell")
    log.expect("result", FOREIGN.rstrip("\n"))


def denied(log: GeminiLog, words: str) -> None:
    """A call that the user denied, and one that was cancelled while it ran. `words` stand in the second one's output."""
    error = "[Operation Cancelled] Reason: User denied execution."
    log.call("run_shell_command", {"command": "rm x"}, {"error": error}, "cancelled")
    log.expect("result", error)
    log.call("run_shell_command", {"command": "sleep 9"}, {"output": words}, "cancelled")
    log.expect("result", f"[Operation Cancelled]\n{words}")


def planned(log: GeminiLog, words: str) -> None:
    """A plan that the user rejected with words, and then accepted. The words stand in a tool's result: they run nothing."""
    given = {"plan_path": "plans/a.md"}
    rejected = (
        f"Plan rejected. User feedback: {words}\n\nThe plan is stored at: /plans/a.md\n\nRevise the plan."
    )
    log.call("exit_plan_mode", given, {"output": rejected})
    log.expect("result", rejected)
    log.expect("decision", "plans/a.md")
    log.expect("user", words)
    approved = "Plan approved. Switching to Auto-Edit mode.\n\nThe approved implementation plan is stored at: /plans/a.md"
    log.call("exit_plan_mode", given, {"output": approved})
    log.expect("result", approved)
    log.expect("decision", "plans/a.md")


def asked(log: GeminiLog, words: str) -> None:
    """A question and its answer."""
    del words
    question = {"question": "Which?", "header": "Way", "options": [{"label": "A"}, {"label": "B"}]}
    answer = '{"answers": {"0": "B"}}'
    log.call("ask_user", {"questions": [question]}, {"output": answer})
    log.expect("result", answer)
    log.expect("decision", "B")


def delegated(log: GeminiLog, words: str) -> None:
    """A call that started a sub-agent."""
    progress = {"isSubagentProgress": True, "agentName": "x"}
    agent = f"agent-{log.number()}"
    log.call("invoke_agent", {"prompt": words}, {"output": FOREIGN}, agentId=agent, resultDisplay=progress)
    log.expect("result", FOREIGN)


def noticed(log: GeminiLog, words: str) -> None:
    """What the host showed to the user."""
    for kind in ("info", "warning", "error"):
        log.write(log.made(kind, words))
        log.expect("info", words)


def compacted(log: GeminiLog, words: str) -> None:
    """`/compress`: a summary, an answer of the host to it, and the kept turns under other ids, without their thoughts."""
    turn(log, words)
    summary = f"<scratchpad>\n{FOREIGN}</scratchpad>\n\n<state_snapshot>\n{FOREIGN}{log.number()}\n</state_snapshot>"
    kept = [one for one in log.messages[-8:] if one["type"] in ("user", "gemini")]
    again = []
    for one in kept:
        content = one["content"] if isinstance(one["content"], list) else [{"text": one["content"]}]
        thought = [{"text": "**Reading** The file first.", "thought": True}] if one.get("thoughts") else []
        again.append(log.made(one["type"], thought + content))
    answer = [{"text": "Got it. Thanks for the additional context!"}]
    log.rebuild([log.messages[0], log.made("user", [{"text": summary}]), log.made("gemini", answer), *again])
    log.expect("info", "The conversation was compacted.")
    log.expect("info", summary)
    log.write(log.made("info", ""))


def masked(log: GeminiLog, words: str) -> None:
    """Long outputs are replaced in a list with the same ids."""
    del words
    calls = [{"result": [{"functionResponse": {"response": {"output": "<masked>"}}}]}]
    again = []
    for one in log.messages:
        held = [call | calls[0] for call in one.get("toolCalls", [])]
        again.append(one | ({"toolCalls": held} if held else {}))
    log.rebuild(again)


def rewound(log: GeminiLog, words: str) -> None:
    """The conversation goes back to before a prompt; the list of what is kept follows."""
    kept = list(log.messages)
    target = log.prompt(f"back {log.number()}")
    log.say(f"Away {log.number()}.")
    log.records.append({"$rewindTo": target["id"]})
    log.expect("info", f"Rewound to before “{target['content'][0]['text']}”.")
    log.rebuild(kept)
    log.prompt(words)


def resumed(log: GeminiLog, words: str) -> None:
    """A resumed session: its id, the list with thoughts in the content, and another context."""
    log.records.append({"$set": {"sessionId": "s"}})
    again = []
    for one in log.messages:
        thought = [{"text": "**Reading** The file first.", "thought": True}] if one.get("thoughts") else []
        content = one["content"] if isinstance(one["content"], list) else [{"text": one["content"]}]
        again.append(one | {"content": thought + content})
    log.rebuild([*again, log.made("user", [{"text": CONTEXT}])])
    log.prompt(words)


def described(log: GeminiLog, words: str) -> None:
    """Fields of the session."""
    del words
    fields: list[Json] = [
        {"summary": "A talk"},
        {"directories": ["/w", "/v"]},
        {"memoryScratchpad": {"version": 1, "workflowSummary": FOREIGN}},
        {"activeExtensionName": "x"},
    ]
    log.records += [{"$set": one} for one in fields]


#: What happens in a conversation, by name.
ACTS: Final[dict[str, Callable[[GeminiLog, str], None]]] = {
    act.__name__: act
    for act in (
        turn, displayed, expanded, hooked, steered, driven, shelled, denied, planned, asked, delegated, noticed, compacted, masked,
        rewound, resumed, described,
    )
}  # fmt: skip
