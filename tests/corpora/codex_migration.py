"""Logs of Codex after `codex migrate-rollouts`: items with the times of the events, in turns of its own where there were none."""

from collections.abc import Iterator, Sequence

from corpora.codex import Json


def migrated(records: Sequence[Json]) -> list[Json]:
    """What `codex migrate-rollouts` makes of a log of events: items with the times of the events, in turns of its own where
    the log has none; thoughts are written again with each part that comes.
    """
    return list(_migrated(records))


def _migrated(records: Sequence[Json]) -> Iterator[Json]:
    turn = ""
    thoughts: list[str] = []
    thoughts_id = ""
    for number, record in enumerate(records):
        event = record["payload"] if record["type"] == "event_msg" else {}
        what = event.get("type")
        if what == "agent_reasoning":
            thoughts_id = thoughts_id if thoughts else f"item-{number}"
            thoughts = [*thoughts, event["text"]]
        elif event:
            thoughts = []
        if what == "task_started":
            turn = event["turn_id"]
        item = _item_of(event, thoughts) if event else None
        if item is None:
            yield record
            turn = "" if what == "task_complete" else turn
            continue
        is_added = turn.startswith("rollout-")
        if is_added and what == "user_message":
            yield record | {"payload": {"type": "task_complete", "turn_id": turn}}
        if not turn or (is_added and what == "user_message"):
            turn = f"rollout-{number}"
            yield record | {"payload": {"type": "task_started", "turn_id": turn}}
        known_id = event.get("call_id") or event.get("event_id")
        item_id = thoughts_id if thoughts else known_id or f"item-{number}"
        yield record | {
            "payload": {"type": "item_completed", "turn_id": turn, "item": {"id": item_id} | item}
        }


def _item_of(event: Json, thoughts: Sequence[str]) -> Json | None:
    """The item that stands for an event; None for an event that stays."""
    message = event.get("message")
    items: dict[str, Json] = {
        "user_message": {"type": "UserMessage", "content": [{"type": "text", "text": message}]},
        "agent_message": {"type": "AgentMessage", "content": [{"type": "Text", "text": message}]},
        "agent_reasoning": {"type": "Reasoning", "summary_text": list(thoughts), "raw_content": []},
        "context_compacted": {"type": "ContextCompaction"},
        "entered_review_mode": {"type": "EnteredReviewMode", "review": event},
        "exited_review_mode": event | {"type": "ExitedReviewMode"},
        "patch_apply_end": event | {"type": "FileChange"},
        "mcp_tool_call_end": event.get("invocation", {}) | {"type": "McpToolCall", "result": event.get("result", {}).get("Ok")} if "invocation" in event else {},
        "web_search_end": event | {"type": "WebSearch"},
        "image_generation_end": event | {"type": "ImageGeneration"},
        "sub_agent_activity": event | {"type": "SubAgentActivity", "agentThreadId": event.get("agent_thread_id")},
    }  # fmt: skip
    return items.get(event["type"])
