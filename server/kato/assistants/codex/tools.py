"""Codex: reads records that hold both a call and its result. In code mode (from 0.142 on), a script calls tools: only such
records hold those calls.
"""

from typing import Final

from kato.assistants.codex.calls import CallReader, tool_name
from kato.assistants.codex.history import ShellCommand
from kato.assistants.codex.outputs import (
    both_streams,
    ending_in,
    outcome_in,
    outcome_of,
    output_of,
    pages_of,
    patch_of,
)
from kato.assistants.codex.session import Entry
from kato.assistants.contract import Json
from kato.assistants.values import as_text, object_of, placeholder, text_of

#: Values of `source` for commands other than the assistant's own calls.
_USER_SHELL: Final = frozenset(["user_shell", "userShell"])
_INTERACTION: Final = frozenset(["unified_exec_interaction", "unifiedExecInteraction"])


class ToolReader(CallReader):
    """Reads records of tools."""

    # --- Commands and patches -------------------------------------------------------------------------------

    def _command_end(self, entry: Entry) -> None:
        event, at = entry.body, entry.at
        call_id = _call_id(event) or self._id("command", as_text(event.get("command")), at)
        if call_id in self._polls:
            return  # the polled command has its own record
        text = (
            text_of(event, "aggregated_output") or text_of(event, "aggregatedOutput") or both_streams(event)
        )
        command, source = event.get("command"), text_of(event, "source")
        if source in _USER_SHELL:
            ran = ShellCommand(_last_part(command), text)
            self._emit_shell(ran, outcome_in(event), ending_in(event), entry)
            return
        typed = text_of(event, "interaction_input") or text_of(event, "interactionInput")
        if source in _INTERACTION and typed:
            self._call(call_id, at, entry.kind, "write_stdin", {"chars": typed})
        else:
            self._call(call_id, at, entry.kind, "exec_command", {"command": command} if command else None)
        self._finish(call_id, outcome_of(text, outcome_in(event)), at, entry.kind, ending_in(event))

    def _patch_end(self, entry: Entry) -> None:
        event, at = entry.body, entry.at
        changes = object_of(event, "changes")
        call_id = _call_id(event) or self._id("patch", ", ".join(changes), at)
        given = {"patch": patch_of(changes)} if changes else None
        self._call(call_id, at, entry.kind, "apply_patch", given, about=", ".join(changes))
        text = outcome_of(both_streams(event), outcome_in(event))
        if not text.strip() and text_of(event, "status") not in (None, "completed"):
            text = f"[{text_of(event, 'status')}]"
        self._finish(call_id, text, at, entry.kind, ending_in(event))

    # --- Tools of others ------------------------------------------------------------------------------------

    def _outside_call(self, entry: Entry) -> None:
        """A call of an MCP server's or a client's tool."""
        event = entry.body
        invocation = object_of(event, "invocation") or event
        name = text_of(invocation, "tool") or "tool"
        server = text_of(invocation, "server")
        name = f"{server}.{name}" if server else tool_name(text_of(invocation, "namespace"), name)
        call_id = _call_id(event) or self._id("call", name, entry.at)
        self._call(call_id, entry.at, entry.kind, name, invocation.get("arguments"))
        result = event.get("content_items", event.get("contentItems", event.get("result")))
        if isinstance(result, dict):
            result = result.get("Ok", result.get("Err", result))
        error = event.get("error")
        text = (
            output_of(result)
            or (text_of(error, "message") if isinstance(error, dict) else "")
            or as_text(error)
        )
        text = text or ("[failed]" if event.get("success") is False else "")
        self._finish(call_id, text, entry.at, entry.kind, ending_in(event))

    def _extension(self, entry: Entry) -> None:
        """A tool of Codex's own outside its core: `web.search`."""
        name = text_of(entry.body, "kind") or "extension"
        if name == "clock.sleep":
            return
        if name == "image_gen.generation":
            self._image_generation(entry)
            return
        given = {key: value for key, value in entry.body.items() if key not in _NOT_GIVEN and value}
        call_id = _call_id(entry.body) or self._id("call", name, entry.at)
        self._call(call_id, entry.at, entry.kind, name, given or None)
        self._finish_search(call_id, entry)

    def _search(self, entry: Entry) -> None:
        self._flush_waiting()
        query = _query(entry.body)
        if not self._twins.is_twin("assistant", "web", query, entry.kind):
            call_id = _call_id(entry.body) or self._id("web", query, entry.at)
            self._call(call_id, entry.at, "web_search", "web_search", {"query": query} if query else None)
            self._finish_search(call_id, entry)

    def _finish_search(self, call_id: str, entry: Entry) -> None:
        results = entry.body.get("results")
        if results is not None:
            self._finish(call_id, pages_of(results), entry.at, entry.kind)

    def _image_generation(self, entry: Entry) -> None:
        """Emits the name of the picture's file; the picture itself, in the record, is not kept."""
        about = text_of(entry.body, "revised_prompt") or ""
        call_id = _call_id(entry.body) or self._id("image", about, entry.at)
        self._call(call_id, entry.at, entry.kind, "image_generation", {"prompt": about} if about else None)
        saved = text_of(entry.body, "saved_path")
        if saved:
            self._finish(call_id, placeholder("image", saved), entry.at, entry.kind)

    # --- Sub-agents -----------------------------------------------------------------------------------------

    def _agent_call(self, entry: Entry) -> None:
        """A call that starts a sub-agent, or speaks to one."""
        item = entry.body
        call_id = _call_id(item) or self._id("agents", as_text(item.get("prompt")), entry.at)
        prompt = text_of(item, "prompt")
        tool = text_of(item, "tool") or "agent"
        self._call(call_id, entry.at, entry.kind, tool, {"prompt": prompt} if prompt else None)
        children = item.get("receiverThreadIds", item.get("receiver_thread_ids"))
        if tool in ("spawnAgent", "spawn_agent") and isinstance(children, list):
            for child in children:
                self._start(child, call_id)

    def _spawned(self, entry: Entry) -> None:
        child, call_id = text_of(entry.body, "new_thread_id"), text_of(entry.body, "call_id")
        if child and call_id:
            self._start(child, call_id)
            self._finish(call_id, text_of(entry.body, "new_agent_nickname") or child, entry.at, entry.kind)

    def _agent_activity(self, entry: Entry) -> None:
        """Notes a sub-agent; the id of its first activity is that of the call that started it."""
        child = text_of(entry.body, "agent_thread_id") or text_of(entry.body, "agentThreadId")
        call_id = text_of(entry.body, "event_id") or text_of(entry.body, "id")
        if call_id and text_of(entry.body, "kind") == "started":
            self._start(child, call_id)

    def _start(self, child: object, call_id: str) -> None:
        if isinstance(child, str) and child and not self._is_recovered:
            self.started.setdefault(child, call_id)


#: What an item of an extension holds besides the arguments of its call.
_NOT_GIVEN: Final = frozenset(["type", "kind", "id", "results", "result", "status"])


def _call_id(record: Json) -> str | None:
    return next((found for key in ("call_id", "callId", "id") if (found := text_of(record, key))), None)


def _last_part(command: object) -> str:
    """The command that the user typed: the last argument of the shell."""
    parts = command if isinstance(command, list) else [command]
    return next((part for part in reversed(parts) if isinstance(part, str)), "")


def _query(record: Json) -> str:
    action = object_of(record, "action")
    return text_of(record, "query") or text_of(action, "query") or text_of(action, "url") or ""
