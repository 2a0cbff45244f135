"""What a log states about its session besides the conversation: the git branch, and the tokens that were used."""

from typing import Any

import pytest

from providers.codex_records import event, line
from providers.reading import Json, lines, read, reader_of

AT = "2026-05-01T10:00:00.000Z"


def facts(provider: str, *records: Json, **how: Any) -> tuple[str | None, int | None]:
    """Branch and tokens."""
    reader = reader_of(provider, **how)
    read(reader, [lines(*records)])
    return reader.info.branch, reader.info.tokens


def claude(message: str, output: int, uuid: str, **fields: Any) -> Json:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 5000}
    body = {"id": message, "role": "assistant", "content": [{"type": "text", "text": uuid}]}
    record = {"type": "assistant", "uuid": uuid, "timestamp": AT, "sessionId": "s", "gitBranch": "main"}
    return record | {"message": body | {"usage": usage | {"output_tokens": output}}} | fields


def test_claude_counts_each_reply_once_and_no_token_that_a_cache_held() -> None:
    growing = [claude("m1", 1, "a"), claude("m1", 7, "b"), claude("m2", 3, "c")]
    assert facts("claude", *growing) == ("main", 117 + 113)
    assert facts("claude", *growing, *growing) == ("main", 117 + 113), "copied records"
    copied = claude("m0", 9, "z", forkedFrom={"sessionId": "old"})
    assert facts("claude", copied, *growing) == ("main", 117 + 113), "the history of another session"


def test_claudes_branch_is_the_latest_one() -> None:
    moved = [
        claude("m1", 1, "a"),
        claude("m2", 1, "b", gitBranch="fix/it"),
        claude("m3", 1, "c", gitBranch="HEAD"),
    ]
    assert facts("claude", *moved)[0] == "fix/it", "HEAD: no branch is checked out"
    assert facts("claude", claude("m1", 1, "a", gitBranch=""))[0] is None


def test_codex_states_the_tokens_so_far() -> None:
    def used(given: int) -> Json:
        total = {
            "input_tokens": given,
            "cached_input_tokens": 40,
            "output_tokens": 5,
            "total_tokens": given + 5,
        }
        return event("token_count", info={"total_token_usage": total})

    meta = line("session_meta", id="s", cwd="/w", git={"branch": "feat/x", "commit_hash": "0"})
    assert facts("codex", meta, used(100), event("token_count", info=None), used(300)) == ("feat/x", 265)
    assert facts("codex", line("session_meta", id="s", cwd="/w")) == (None, None)


def test_gemini_counts_each_message_once() -> None:
    def reply(ident: str, total: int, **fields: Any) -> Json:
        tokens = {"input": total - 5, "output": 5, "cached": 60, "thoughts": 0, "tool": 0, "total": total}
        return {"id": ident, "timestamp": AT, "type": "gemini", "content": ident, "tokens": tokens} | fields

    first, second = reply("a", 100), reply("b", 200)
    assert facts("gemini", {"sessionId": "s"}, reply("a", 100, tokens=None), first, first, second) == (
        None,
        180,
    )
    rebuilt = {"$set": {"messages": [first, reply("c", 200)]}}
    assert facts("gemini", first, second, rebuilt) == (None, 180), "a list that is written again"
    assert facts("gemini", {"sessionId": "s", "messages": [first, second]}, document=True) == (None, 180)


def copilot(kind: str, number: int, **data: Any) -> Json:
    return {"type": kind, "id": f"e{number}", "timestamp": AT, "data": data}


def test_copilot_cli_states_the_tokens_when_it_ends() -> None:
    def usage(given: int, cached: int) -> Json:
        return {"usage": {"inputTokens": given, "outputTokens": 5, "cacheReadTokens": cached}}

    start = copilot("session.start", 1, sessionId="s", context={"cwd": "/w", "branch": "main"})
    ends = [
        copilot("session.shutdown", 2, modelMetrics={"a": usage(100, 0)}),
        copilot("session.resume", 3, context={"cwd": "/w", "branch": "next"}),
        copilot("session.shutdown", 4, modelMetrics={"a": usage(100, 0), "b": usage(50, 20)}),
    ]
    assert facts("copilot", start) == ("main", None)
    assert facts("copilot", start, *ends) == ("next", 105 + 35)
    assert facts("copilot", start, copilot("session.context_changed", 2, branch="fix"))[0] == "fix"


def test_copilots_state_has_the_tokens_of_each_request() -> None:
    usage = {"promptTokens": 100, "completionTokens": 5}

    def request(number: int, **fields: Any) -> Json:
        head = {
            "requestId": f"r{number}",
            "timestamp": number,
            "message": {"text": "hi"},
            "modelState": {"value": 1},
        }
        return head | {"response": [{"value": "ok"}]} | fields

    requests = [
        request(1, result={"usage": usage}),
        request(2, response=[{"kind": "usage"} | usage]),
        request(3),
    ]
    assert facts("copilot", {"kind": 0, "v": {"sessionId": "s", "requests": requests}}) == (None, 210)


@pytest.mark.parametrize("value", [-1, True, "7", 1.5, None, [], {}])
def test_what_is_not_a_number_of_tokens_is_not_counted(value: object) -> None:
    usage = {"input_tokens": 10, "output_tokens": value}
    message = {"id": "m", "role": "assistant", "content": "hi", "usage": usage}
    record = {"type": "assistant", "uuid": "a", "timestamp": AT, "sessionId": "s", "message": message}
    assert facts("claude", record)[1] is None


def test_a_branch_is_one_line() -> None:
    record = claude("m", 1, "a", gitBranch="a\n::capture b.md\n" + "x" * 500)
    branch = facts("claude", record)[0]
    assert branch is not None
    assert branch.startswith("a ::capture b.md x")
    assert len(branch) == 200
