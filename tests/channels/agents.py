"""The Agent Client Protocol for tests: messages of both sides, and an agent that plays a script."""

import json
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SESSION = "session-1"


def request(number: int | str, method: str, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def notification(method: str, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def answer(number: int | str, **result: Any) -> Json:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def failure(number: int | str, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": -32603, "message": message}}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def prompt(number: int | str, *blocks: str | Json, session: str = SESSION) -> Json:
    given = [text(one) if isinstance(one, str) else one for one in blocks]
    return request(number, "session/prompt", sessionId=session, prompt=given)


def update(kind: str, session: str = SESSION, /, **fields: Any) -> Json:
    return notification("session/update", sessionId=session, update={"sessionUpdate": kind, **fields})


def says(words: str, message_id: str | None = None, session: str = SESSION) -> Json:
    more = {} if message_id is None else {"messageId": message_id}
    return update("agent_message_chunk", session, content=text(words), **more)


def thinks(words: str) -> Json:
    return update("agent_thought_chunk", content=text(words))


def repeats(words: str, session: str = SESSION) -> Json:
    """A message of the user that the agent repeats."""
    return update("user_message_chunk", session, content=text(words))


def call(call_id: str, status: str | None = None, **fields: Any) -> Json:
    more = {} if status is None else {"status": status}
    return update(
        "tool_call_update" if fields.pop("more", False) else "tool_call", toolCallId=call_id, **more, **fields
    )


#: An agent: each line of its script answers one request of the client, by the method of the request. `$id` is the request's id.
AGENT = r"""
import json, os, sys, time
script = json.load(open(sys.argv[1]))
out = sys.stdout.buffer
for line in sys.stdin.buffer:
    message = json.loads(line)
    answers = script.get(message.get("method"), [])
    if answers and isinstance(answers[0], list):
        answers = answers.pop(0)
    for one in answers:
        if "run" in one:
            exec(one["run"])
            continue
        if one.get("id") == "$id":
            one = {**one, "id": message["id"]}
        out.write(json.dumps(one).encode() + b"\n")
        out.flush()
"""


def agent(folder: Path, script: Json) -> list[str]:
    """The command of an agent that plays a script: what it sends for each method. A list of lists has one for each request."""
    (folder / "agent.py").write_text(AGENT)
    (folder / "script.json").write_text(json.dumps(script))
    return [sys.executable, str(folder / "agent.py"), str(folder / "script.json")]


def initialized(name: str = "toy-agent", title: str | None = "Toy") -> list[Json]:
    info = {"name": name, "version": "1"} | ({} if title is None else {"title": title})
    return [answer("$id", protocolVersion=1, agentCapabilities={"loadSession": True}, agentInfo=info)]
