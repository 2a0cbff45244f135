"""`daemonMaxMemoryMb` holds for everything the process does: requests, answers that are not read, texts, logs, status.

Peaks are the system's own (VmHWM, Linux), of real processes.
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from builders import assistant, conversation, event, request, tool_call, user
from conftest import Start
from kato.cli.client import Client, RequestFailed
from kato.core import limits
from kato.core.events import SessionKey
from kato.lsp.framing import encode_frame
from kato.storage.journal import Journal
from logs import ClaudeLog, Json, now

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")

KEY = {"provider": "claude", "sessionId": "session-1"}
MB = 1024 * 1024


def peak_mb(client: Client) -> float:
    with open(f"/proc/{client.process.pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))


def append(client: Client, *events: Json, **fields: Any) -> Any:
    return client.request("kato/appendEvents", request(events, **fields))


def append_sizes(client: Client, count: int, size: int, *, batch: int = 4) -> None:
    for first in range(0, count, batch):
        append(client, *conversation(batch, first=first, size=size))


def command(client: Client, name: str, **fields: Any) -> Any:
    return client.request(
        "workspace/executeCommand", {"command": f"kato.{name}", "arguments": [KEY | fields]}
    )


def message(method: str, params: Any = None, number: int | None = None) -> bytes:
    body = {"jsonrpc": "2.0", "method": method} | ({} if number is None else {"id": number})
    return encode_frame(orjson.dumps(body | ({} if params is None else {"params": params})))


def pages(client: Client, **fields: Any) -> Iterator[Any]:
    after: int | None = 0
    while after is not None:
        page = client.request("kato/readSession", KEY | {"after": after} | fields)
        yield page
        after = page["nextAfter"]


def written(client: Client, data: bytes) -> threading.Thread:
    """Writes without waiting for the server, which may not read before it is read from."""
    thread = threading.Thread(target=client.write, args=(data,))
    thread.start()
    return thread


def answers(client: Client, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        received = client.read_message()
        if "method" in received:
            client.notifications.append(received)
        else:
            found.append(received)
    return found


def statuses(client: Client) -> list[Any]:
    return [one["params"] for one in client.notifications if one["method"] == "kato/statusChanged"]


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


# --- Requests are bounded by bytes ----------------------------------------------------------------------


def test_a_page_is_bounded_in_bytes_and_pages_give_every_event_once(start: Start) -> None:
    client = start({"maxEventsPerSession": 20})
    append_sizes(client, 60, 400_000)
    read: list[str] = []
    for page in pages(client, limit=1000):
        assert page["total"] == 60
        assert len(orjson.dumps(page)) < limits.PAGE_BYTES_MAX + 1000
        assert page["events"]
        read += [one["eventId"] for one in page["events"]]
    assert read == [f"event-{number}" for number in range(60)]
    assert peak_mb(client) < 200


def test_an_event_larger_than_a_page_comes_alone(start: Start) -> None:
    client = start()
    events = [user("a"), assistant("x" * 3 * limits.PAGE_BYTES_MAX, 1), user("b", 2)]
    append(client, *events)
    assert [page["events"] for page in pages(client)] == [[events[0]], [events[1]], [events[2]]]


def test_an_event_that_cannot_be_sent_within_the_limit_is_refused_and_the_others_are_read(
    start: Start,
) -> None:
    client = start({"daemonMaxMemoryMb": 400})
    append(client, user("a"), assistant("x" * 20 * MB, 1), user("b", 2))
    client.close()
    client = start({"daemonMaxMemoryMb": 100})
    assert [one["content"] for one in client.request("kato/readSession", KEY | {"limit": 1})["events"]] == [
        "a"
    ]
    with pytest.raises(RequestFailed, match="an event of this session would take about") as failure:
        client.request("kato/readSession", KEY | {"after": 1})
    assert failure.value.code == -32010
    assert "daemonMaxMemoryMb is 100: raise it" in str(failure.value)
    assert [one["content"] for one in client.request("kato/readSession", KEY | {"after": 2})["events"]] == [
        "b"
    ]
    outcome = command(client, "capture", path="x.md")
    assert (outcome["status"], outcome["error"]["code"]) == ("error", -32010)
    assert peak_mb(client) < 100


def test_a_page_beyond_the_end_is_empty(start: Start) -> None:
    client = start()
    append(client, *conversation(3))
    for after in (3, 4, 2**62):
        page = client.request("kato/readSession", KEY | {"after": after})
        assert page == {"events": [], "nextAfter": None, "total": 3}


def test_a_rendered_session_that_is_cut_is_marked_as_cut(start: Start) -> None:
    client = start()
    append(client, assistant("é" * 3 * limits.RENDERED_BYTES_MAX))
    rendered = client.request("kato/renderSession", KEY)
    assert rendered["truncated"] is True
    assert limits.RENDERED_BYTES_MAX - 4 < len(rendered["markdown"].encode()) <= limits.RENDERED_BYTES_MAX


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "count"), [("kato/readSession", 400), ("kato/renderSession", 100)], ids=["read", "render"]
)
def test_requests_that_come_together_wait_until_the_client_has_read(
    start: Start, method: str, count: int
) -> None:
    """Answers of 2 MB each, to requests that one read of the server holds."""
    client = start()
    append_sizes(client, 200, 10_000, batch=50)
    writer = written(client, b"".join(message(method, KEY, number) for number in range(count)))
    found = answers(client, count)
    writer.join()
    assert [one["id"] for one in found] == list(range(count))
    assert all("result" in one for one in found)
    assert peak_mb(client) < 120


# --- A client that does not read ------------------------------------------------------------------------

#: A server that gives up a client that ends and does not read after a moment.
IMPATIENT = (
    "import sys\nfrom kato.core import limits\nlimits.UNREAD_SECONDS_MAX = 0.2\n"
    "from kato.__main__ import main\nsys.argv = ['kato', 'serve']\nsys.exit(main())\n"
)


def crowd(client: Client, *behind: bytes) -> None:
    """Asks for far more than the server lets wait; `behind` is what comes after that."""
    append_sizes(client, 200, 10_000, batch=50)
    client.write(
        b"".join(message("kato/readSession", KEY, number) for number in range(20)) + b"".join(behind)
    )


def test_waiting_requests_are_answered_in_order_before_the_end(start: Start) -> None:
    client = start()
    late = [
        message("kato/appendEvents", request([user("late", 500)]), 20),
        message("kato/events", request([user("later", 501)])),
        message("kato/readSession", KEY | {"after": 200}, 21),
        message("shutdown", None, 22),
        message("kato/memory", None, 23),
        message("exit"),
    ]
    crowd(client, *late)
    found = answers(client, 24)
    assert [one["id"] for one in found] == list(range(24))
    assert found[20]["result"]["accepted"] == 1
    assert [one["content"] for one in found[21]["result"]["events"]] == ["late", "later"]
    assert found[23]["error"]["code"] == -32600
    assert client.process.wait(20) == 0


@pytest.mark.parametrize(
    ("behind", "closes", "code"),
    [
        ([], True, 1),
        ([message("exit")], False, 1),
        ([message("shutdown", None, 70), message("exit")], False, 0),
        ([message("shutdown", None, 70)], True, 0),
    ],
    ids=["end of input", "exit", "shutdown and exit", "shutdown and end of input"],
)
def test_a_client_that_ends_and_never_reads_is_not_waited_for(
    start: Start, tmp_path: Path, behind: Sequence[bytes], closes: bool, code: int
) -> None:
    """What it sent is kept all the same."""
    client = start(command=(sys.executable, "-c", IMPATIENT))
    crowd(client, message("kato/events", request([user("last words", 500)])), *behind)
    if closes:
        assert client.process.stdin is not None
        client.process.stdin.close()
    assert client.process.wait(20) == code
    journal = Journal.open(tmp_path / "state", now_ms=lambda: 0)
    assert [line for _, line in journal.read(SessionKey("claude", "session-1"), after=200)]
    journal.close()


def test_sigterm_ends_a_server_whose_client_does_not_read(start: Start) -> None:
    client = start()
    crowd(client)
    client.process.terminate()
    assert client.process.wait(20) == 143


def test_a_client_that_goes_away_without_reading_ends_the_server(start: Start) -> None:
    client = start()
    crowd(client)
    assert client.process.stdout is not None
    client.process.stdout.close()
    assert client.process.wait(20) == 1


@pytest.mark.slow
def test_no_status_is_queued_while_the_client_does_not_read_and_the_newest_comes_when_it_does(
    start: Start, tmp_path: Path, notes: Path
) -> None:
    (tmp_path / "home" / ".claude" / "projects").mkdir(parents=True)
    client = start({"heartbeatSeconds": 0.05})
    for number in range(300):
        append(client, *conversation(1, session=f"s{number}"))
    crowd(client)
    # News come from a log now, a line at each look.
    log = ClaudeLog(tmp_path / "home", notes)
    state = tmp_path / "state" / "servers" / f"{client.process.pid}.json"
    count = 0

    def has_beaten() -> bool:
        nonlocal count
        count += 1
        log.write(log.user(f"line {count}"))
        shown = orjson.loads(state.read_bytes())["sessions"]
        return count > 200 and any(one["sessionId"] == log.session for one in shown)

    wait_until(has_beaten)
    before, began = len(statuses(client)), now()
    answers(client, 20)
    client.request("kato/memory")
    assert len([one for one in statuses(client)[before:] if one["generatedAt"] < began]) <= 1
    wait_until(
        lambda: client.request("kato/memory") and log.session in str(statuses(client)[-1]["sessions"][:1])
    )
    assert peak_mb(client) < 120


# --- Texts ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "line_end"), [("", "\n"), ("std::vector", "\n"), ("::capture talk.md", "\n"), ("::stop", "\r\n")]
)
def test_a_message_of_8_mb_in_short_lines_is_kept_within_the_limit(
    start: Start, notes: Path, end: str, line_end: str
) -> None:
    client = start()
    text = f"ab{line_end}" * 2_700_000 + end
    answer = append(client, user(text), cwd=str(notes))
    assert [one["status"] for one in answer["commands"]] == (
        [] if "std" in end or not end else ["ok" if "capture" in end else "noop"]
    )
    if "capture" in end:
        assert answer["commands"][0]["line"] == 2_700_001
        assert (notes / "talk.md").read_text().count("\nab\n") >= 1_000_000
    assert peak_mb(client) < 160


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    ["x" * 15 * MB, "x" * 8 * MB + "😀", "line of text\n" * 600_000, "😀" * 2 * MB, "```\n~~~\n" * 300_000],
    ids=["ASCII", "one wide character", "lines", "wide characters", "fences"],
)
def test_a_large_event_is_read_rendered_captured_and_exported_within_the_limit(
    start: Start, notes: Path, text: str
) -> None:
    client = start()
    append(client, user(text), cwd=str(notes))
    assert client.request("kato/readSession", KEY)["events"][0]["content"] == text
    assert client.request("kato/renderSession", KEY)["truncated"] is True
    for name, path in (("capture", "a.md"), ("export", "a.jsonl")):
        assert command(client, name, path=path)["status"] == "ok"
    append(client, assistant("more", 1))
    assert (notes / "a.md").read_text().endswith("more\n")
    assert peak_mb(client) < 200


# --- Session logs ---------------------------------------------------------------------------------------

LINES = {
    "empty lists": lambda log: log.line(
        "user",
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
        toolUseResult=[[]] * (15 * MB // 4),
    ),
    "a user's short lines": lambda log: log.user("ab\n" * (15 * MB // 4)),
    "an unknown kind": lambda log: log.line("strange", {"x": "y" * 15 * MB}),
    "a tool's short lines": lambda log: log.line(
        "user",
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ab\n" * (15 * MB // 4)}],
        },
    ),
    "wide characters": lambda log: log.user("😀" * (15 * MB // 4)),
}


@pytest.mark.slow
@pytest.mark.parametrize("limit", [100, 200])
@pytest.mark.parametrize("make", LINES.values(), ids=LINES)
def test_a_line_of_15_mb_in_a_log_is_read_or_skipped_within_the_limit(
    start: Start, tmp_path: Path, notes: Path, make: Callable[[ClaudeLog], Json], limit: int
) -> None:
    (tmp_path / "home" / ".claude" / "projects").mkdir(parents=True)
    client = start({"daemonMaxMemoryMb": limit})
    log = ClaudeLog(tmp_path / "home", notes)
    log.write(log.user("before"), make(log), log.user("after"))

    def contents() -> list[str]:
        key = {"provider": "claude", "sessionId": log.session}
        with_text: list[str] = []
        after: int | None = 0
        try:
            while after is not None:
                page = client.request("kato/readSession", key | {"after": after, "limit": 1})
                with_text += [one["content"][:10] for one in page["events"] if "content" in one]
                after = page["nextAfter"]
        except RequestFailed as failure:
            if failure.code != -32011:  # not seen yet
                raise
        return with_text

    wait_until(lambda: contents()[-1:] == ["after"], 60)
    assert contents()[0] == "before"
    assert peak_mb(client) < limit


@pytest.mark.slow
def test_a_picture_that_leaves_no_room_is_left_out_of_its_line(
    start: Start, tmp_path: Path, notes: Path
) -> None:
    (tmp_path / "home" / ".claude" / "projects").mkdir(parents=True)
    client = start({"daemonMaxMemoryMb": 100})
    log = ClaudeLog(tmp_path / "home", notes)
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 15 * MB},
    }
    words = {"type": "text", "text": "what is this?\n::capture talk.md"}
    shown = log.line("user", {"role": "user", "content": [words, picture]})
    log.write(log.user("hello"), shown, *log.text("a picture"))
    wait_until(lambda: (notes / "talk.md").exists() and "a picture" in (notes / "talk.md").read_text(), 60)
    assert "what is this?" in (notes / "talk.md").read_text()
    assert peak_mb(client) < 100


# --- Many sessions --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_fifty_thousand_sessions_delay_no_request(start: Start, tmp_path: Path) -> None:
    client = start()
    count = 50_000
    moment = now()
    asked: dict[int, float] = {}
    waits: list[float] = []
    sizes: list[int] = []

    def write() -> None:
        for number in range(count):
            one = user("hello", sessionId=f"session-{number:06d}", timestamp=moment)
            client.write(message("kato/events", request([one], title="A title", cwd="/work/project")))
            if number % 500 == 0 or number == count - 1:
                asked[number] = time.monotonic()
                client.write(message("kato/memory", None, number))

    started = time.monotonic()
    writer = threading.Thread(target=write)
    writer.start()
    last: Any = None
    while last is None or last["id"] != count - 1:
        received = client.read_message()
        if "method" in received:
            sizes.append(len(orjson.dumps(received)))
        else:
            waits.append(time.monotonic() - asked[received["id"]])
            last = received
    writer.join()
    seconds = time.monotonic() - started
    assert last["result"]["journal"]["sessionCount"] == count
    assert max(waits) < limits.HEARTBEAT_SECONDS_DEFAULT
    assert len(sizes) < 20 + 3 * seconds
    assert max(sizes) < 200_000
    page = client.request("kato/status", {"includeStale": True})
    assert len(orjson.dumps(page)) < limits.PAGE_BYTES_MAX + 10_000
    assert len(page["sessions"]) + page["omittedSessions"] == count
    assert page["providers"][0]["activeSessions"] == count
    assert len(client.request("kato/status", {"limit": 3})["sessions"]) == 3
    wait_until(lambda: client.request("kato/status", {"limit": 3})["omittedSessions"] == count - 3)
    assert peak_mb(client) < 100
    client.close()
    file = tmp_path / "state" / "servers" / f"{client.process.pid}.json"
    assert file.stat().st_size < 200_000


def test_a_status_notification_holds_recording_sessions_and_the_newest(start: Start, notes: Path) -> None:
    client = start({"heartbeatSeconds": 0.1})
    second = now()[:-5]
    append(client, user("::capture talk.md", timestamp=f"{second}.000Z"), cwd=str(notes))
    for number in range(limits.STATUS_NEWS_SESSIONS_MAX + 50):
        one = user("hello", sessionId=f"s{number:03d}", timestamp=f"{second}.{number:03d}Z")
        client.notify("kato/events", request([one]))
    for _ in range(100):
        client.request("kato/memory")
        if statuses(client) and statuses(client)[-1]["omittedSessions"] == 51:
            break
        time.sleep(0.05)
    shown = statuses(client)[-1]
    names = [one["sessionId"] for one in shown["sessions"]]
    assert names[0] == "session-1"
    assert names[1:] == [f"s{n:03d}" for n in range(limits.STATUS_NEWS_SESSIONS_MAX + 49, 50, -1)]
    assert shown["omittedSessions"] == 51
    assert shown["recordings"] == {"activeRecordings": 1, "destinations": 1}
    assert shown["providers"][0]["activeSessions"] == limits.STATUS_NEWS_SESSIONS_MAX + 51
    assert len(client.request("kato/status")["sessions"]) == limits.STATUS_NEWS_SESSIONS_MAX + 51


# --- Echoes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["kind", "role", "phase", "timestamp", "eventId"])
def test_an_invalid_value_is_not_quoted_at_length(start: Start, tmp_path: Path, field: str) -> None:
    client = start()
    large = assistant("x") | {field: "y" * 3 * MB}
    client.notify("kato/events", request([large]))
    with pytest.raises(RequestFailed) as failure:
        append(client, large)
    assert failure.value.data["path"] == f"$.events[0].{field}"
    assert len(orjson.dumps(failure.value.data)) + len(str(failure.value)) < 5000
    (shown,) = [one for one in client.notifications if one["method"] == "window/showMessage"]
    assert len(orjson.dumps(shown)) < 5000
    client.close()
    assert sum(log.stat().st_size for log in (tmp_path / "state" / "logs").glob("*.log")) < 20_000


def test_methods_commands_settings_and_request_ids_are_not_quoted_at_length(start: Start) -> None:
    client = start()
    long = "z" * MB
    for method, params in (
        (long, None),
        ("workspace/executeCommand", {"command": long, "arguments": []}),
        ("kato/readSession", KEY | {"limit": long}),
    ):
        with pytest.raises(RequestFailed) as failure:
            client.request(method, params)
        assert len(str(failure.value)) + len(orjson.dumps(failure.value.data)) < 5000
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {long: long}}})
    client.notify("workspace/didChangeConfiguration", {"settings": {"kato": {"stateDir": [long] * 9}}})
    client.write(encode_frame(orjson.dumps({"jsonrpc": "2.0", "id": long, "method": "kato/memory"})))
    (refused,) = answers(client, 1)
    assert refused["id"] is None
    client.request("kato/memory")
    assert all(
        len(orjson.dumps(one)) < 5000 for one in client.notifications if "statusChanged" not in one["method"]
    )


# --- Damage ---------------------------------------------------------------------------------------------


def test_damaged_bytes_of_the_journal_reach_neither_the_wire_nor_an_export(
    start: Start, tmp_path: Path, notes: Path
) -> None:
    client = start()
    append(client, *conversation(4), cwd=str(notes))
    append(client, tool_call("x", 4, extra={"kept": "noise here"}), event("thinking", 5, content="t"))
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite3") as db:
        db.execute("UPDATE chunk SET data = CAST(replace(CAST(data AS TEXT), 'noise', char(1)) AS BLOB)")
    db.close()
    page = client.request("kato/readSession", KEY)
    assert [one["eventId"] for one in page["events"]] == [f"event-{n}" for n in (0, 1, 2, 3, 5)]
    assert (page["nextAfter"], page["total"]) == (None, 6)
    one = client.request("kato/readSession", KEY | {"after": 4, "limit": 1})
    assert (one["events"], one["nextAfter"]) == ([], 5)
    client.close()
    client = start()
    assert command(client, "export", path="a.jsonl")["status"] == "ok"
    exported = [orjson.loads(line) for line in (notes / "a.jsonl").read_bytes().splitlines()]
    assert [one["eventId"] for one in exported] == [f"event-{n}" for n in (0, 1, 2, 3, 5)]
    client.request("kato/memory")
    shown = [
        one["params"]["message"] for one in client.notifications if one["method"] == "window/showMessage"
    ]
    assert ["recovered" in one for one in shown] == [True]
