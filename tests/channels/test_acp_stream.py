"""The stream through `kato acp`: every byte arrives, whatever either side or the recorder does."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.agents import Json, prompt, says
from kato.channels import BEHIND_ACP
from kato.channels.acp import entry
from kato.channels.acp.conversation import Conversation
from kato.channels.acp.frames import AGENT, CLIENT, GAP, FrameReader, head
from kato.channels.acp.lines import MessageLines
from kato.channels.acp.pump import Inward, Outward, Tap
from logs import wait_for

posix = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")
SECONDS = 30

# --- Pure parts -------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """The data in pieces."""
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    start = 0
    for end in ends:
        yield data[start:end]
        start = end


@settings(deadline=None)
@given(st.lists(json_values, max_size=5), st.lists(st.integers(0, 300), max_size=8))
def test_messages_are_the_same_however_their_bytes_are_cut(messages: list[Any], places: list[int]) -> None:
    lines = MessageLines()
    data = b"".join(json.dumps(one).encode() + b"\n" for one in messages)
    found = [one for piece in cut(data, places) for one in lines.feed(piece)]
    expected = [item for one in messages for item in (one if isinstance(one, list) else [one])]
    assert found == expected
    assert lines.problems == {}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=10), st.booleans())
def test_any_bytes_are_read_without_an_error(pieces: list[bytes], has_gap: bool) -> None:
    lines = MessageLines(16)
    for piece in pieces:
        lines.feed(piece)
        if has_gap:
            lines.skip()
    assert lines.feed(b"\n1\n")[-1] == 1


def test_a_long_line_is_left_out_and_the_next_one_is_read() -> None:
    lines = MessageLines(8)
    found = [lines.feed(piece) for piece in (b'"12345', b"67890", b'1"\n[2]\n"123456"\n')]
    assert found == [[], [], [2, "123456"]]
    assert lines.problems == {"long line": 1}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([CLIENT, AGENT]), st.binary(max_size=50)), max_size=8),
    st.lists(st.integers(0, 200)),
)
def test_pieces_pass_through_frames_however_these_are_cut(
    pieces: list[tuple[int, bytes]], places: list[int]
) -> None:
    data = b"".join(head(side, len(piece)) + piece for side, piece in pieces)
    reader = FrameReader()
    assert [one for part in cut(data, places) for one in reader.feed(part)] == pieces


#: Anything, in the forms of the protocol.
WORDS = [
    "initialize", "session/new", "session/load", "session/prompt", "session/update", "session/close", "session/fork",
    "session/request_permission", "terminal/create", "terminal/output", "tool_call", "tool_call_update", "plan",
    "agent_message_chunk", "user_message_chunk", "diff", "terminal", "content", "text", "s", "completed",
]  # fmt: skip
KEYS = [
    "id", "method", "params", "result", "error", "sessionId", "update", "sessionUpdate", "content", "text", "type", "prompt",
    "toolCall", "toolCallId", "status", "rawInput", "rawOutput", "locations", "entries", "oldText", "newText", "path",
    "outcome", "options", "optionId", "terminalId", "cwd", "title", "agentInfo", "clientCapabilities", "name", "kind",
]  # fmt: skip
protocol_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(WORDS) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)
protocol_messages = st.dictionaries(st.sampled_from(KEYS), protocol_values, max_size=6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([CLIENT, AGENT]), protocol_messages), max_size=12))
def test_no_message_breaks_the_state_machine(messages: list[tuple[int, Json]]) -> None:
    machine = Conversation(["x"], "r", now=lambda: datetime.now(timezone.utc), assistants=("claude",))
    for side, message in messages:
        machine.take(side, message)
    machine.settle()
    machine.end()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--", "agent", "-x", "--", "y"], entry.Started(["agent", "-x", "--", "y"])),
        (["--state-dir", "s", "--", "a"], entry.Started(["a"], "s")),
        (["--state-dir=s", "--", "a"], entry.Started(["a"], "s")),
        (["--help"], None),
        (["agent"], None),
        (["--"], None),
        (["--state-dir", "--", "a"], None),
        (["--observe", "--", "a"], None),
        ([], None),
    ],
)
def test_the_arguments_that_start_without_the_full_parser(
    arguments: list[str], expected: entry.Started | None
) -> None:
    assert entry.parse(arguments) == expected


# --- The pump, without processes --------------------------------------------------------------------------


def read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
    return b"".join(parts)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"\n", b"{}\n", b"\r\n\n"])), max_size=12),
    st.data(),
)
def test_lines_of_kato_stand_between_lines_of_the_agent(pieces: list[bytes], data: st.DataObject) -> None:
    from_agent, agent = os.pipe()
    client, to_client = os.pipe()
    outward = Outward(from_agent, to_client, Tap(None, print), lambda: None)
    outward.thread.start()
    mine = 0
    for piece in pieces:
        for _ in range(data.draw(st.integers(0, 2))):
            outward.inject(b"KATO-%d\n" % mine)
            mine += 1
        os.write(agent, piece)
    os.close(agent)
    outward.wait(5)
    outward.close()
    found = read_all(client)
    os.close(client)
    os.close(from_agent)
    kept = b"".join(line for line in found.splitlines(keepends=True) if not line.startswith(b"KATO-"))
    sent = b"".join(pieces)
    shown = [line for line in found.split(b"\n") if line.startswith(b"KATO-")]
    if b"\r" not in sent and b"\x0b" not in sent and b"\x0c" not in sent and b"\x1c" not in sent:
        assert kept == sent
    assert shown == [b"KATO-%d" % number for number in range(len(shown))]
    assert len(shown) == mine or not sent.endswith(b"\n")


def test_the_tap_drops_what_does_not_fit_marks_the_gap_and_reports_it_once() -> None:
    reader, writer = os.pipe()
    reports: list[str] = []
    tap = Tap(writer, reports.append, bytes_max=1000)
    for number in range(5):
        tap.put(AGENT, b"%d" % number * 400)
    assert tap.dropped == 3 * 400
    tap.thread.start()
    wait_for(lambda: not tap._queue, "the thread")
    tap.put(AGENT, b"next")
    tap.end()
    tap.thread.join()
    found = list(FrameReader().feed(read_all(reader)))
    os.close(reader)
    assert found == [(AGENT, b"0" * 400), (AGENT, b"1" * 400), (GAP | AGENT, b""), (AGENT, b"next")]
    assert len(reports) == 1


def test_a_tap_whose_reader_is_gone_is_closed_and_reported_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    reports: list[str] = []
    tap = Tap(writer, reports.append)
    tap.thread.start()
    tap.put(AGENT, b"x")
    tap.thread.join()
    tap.put(AGENT, b"x")
    assert len(reports) == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_the_clients_bytes_reach_the_agent_and_the_copy_unchanged(pieces: list[bytes]) -> None:
    from_client, client = os.pipe()
    agent, to_agent = os.pipe()
    copy, to_copy = os.pipe()
    ended = threading.Event()
    tap = Tap(to_copy, print)
    inward = Inward(from_client, to_agent, tap, ended.set)
    tap.thread.start()
    inward.thread.start()
    for piece in pieces:
        os.write(client, piece)
    os.close(client)
    sent = b"".join(pieces)
    assert read_all(agent) == sent
    assert ended.wait(5)
    tap.end()
    assert b"".join(piece for _, piece in FrameReader().feed(read_all(copy))) == sent
    for one in (from_client, agent, copy):
        os.close(one)


# --- Real processes ---------------------------------------------------------------------------------------

ECHO = "import sys\nwhile data := sys.stdin.buffer.raw.read(65536): sys.stdout.buffer.write(data); sys.stdout.buffer.flush()\n"


class Proxy:
    """`kato acp` with an agent that is a Python program."""

    def __init__(self, environment: dict[str, str], work: Path, program: str, *options: str) -> None:
        command = [sys.executable, "-m", "kato", "acp", "--state-dir", str(work.parent / "state"), *options]
        self.process = subprocess.Popen(
            [*command, "--", sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=work,
        )

    def talk(self, data: bytes = b"") -> tuple[bytes, bytes, int]:
        """Sends everything; what came back, on stderr, and the exit code."""
        out, errors = self.process.communicate(data, timeout=SECONDS)
        return out, errors, self.process.returncode

    def observer(self) -> psutil.Process:
        def find() -> psutil.Process | None:
            children = psutil.Process(self.process.pid).children()
            return next((one for one in children if "--observe" in one.cmdline()), None)

        found: psutil.Process = wait_for(find, "the recorder")
        return found

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.read(size)

    def line(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


Run = Callable[..., Proxy]


@pytest.fixture
def proxy(environment: dict[str, str], work: Path) -> Iterator[Run]:
    started: list[Proxy] = []

    def start(program: str, *options: str) -> Proxy:
        started.append(Proxy(environment, work, program, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        for stream in (one.process.stdin, one.process.stdout, one.process.stderr):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no JSON\n{\xff\xfe}\n\r\n\0\n",
        b'{"jsonrpc": "2.0"}\nhalf a line',
        json.dumps(prompt(1, "x")).encode() + b"\n" + json.dumps(says("y")).encode(),
    ],
)
def test_every_byte_arrives(proxy: Run, data: bytes) -> None:
    assert proxy(ECHO).talk(data)[::2] == (data, 0)


def test_the_agents_environment_gets_what_silences_hooks_and_no_more(
    environment: dict[str, str], proxy: Run
) -> None:
    out, _, code = proxy("import json, os\nprint(json.dumps(dict(os.environ)))").talk()
    assert code == 0
    got = json.loads(out)
    assert got.pop(BEHIND_ACP) == "1"
    assert {name: got[name] for name in environment} == environment
    assert set(got) - set(environment) <= {"LC_CTYPE"}, "Python sets it"


@pytest.mark.slow
def test_a_line_of_50_mb_passes_through_both_ways_without_being_held(proxy: Run) -> None:
    one = proxy(ECHO)
    data = b'{"jsonrpc":"2.0","method":"x","params":"' + b"A" * 50_000_000 + b'"}\n'
    writer = threading.Thread(target=one.send, args=(data,))
    writer.start()
    assert one.read(len(data)) == data
    writer.join()
    if sys.platform == "linux":
        status = Path(f"/proc/{one.process.pid}/status").read_text()
        peak_kb = int(status.partition("VmHWM:")[2].split()[0])
        assert peak_kb < 80_000
        watched = one.observer().memory_info().rss
        assert watched < 250_000_000
    assert one.talk()[2] == 0


@pytest.mark.parametrize("code", [0, 7, 255])
def test_the_exit_code_is_the_agents(proxy: Run, code: int) -> None:
    assert proxy(f"import sys; print('tail', end=''); sys.exit({code})").talk()[::2] == (b"tail", code)


@posix
def test_an_agent_that_a_signal_ended_gives_the_shells_code(proxy: Run) -> None:
    assert proxy("import os; os.kill(os.getpid(), 9)").talk()[2] == 128 + 9


@posix
@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_are_passed_on_and_the_last_words_of_the_agent_arrive(proxy: Run, name: str) -> None:
    program = (
        "import signal, sys, time\n"
        "def end(*_): print('last words', flush=True); sys.exit(5)\n"
        f"signal.signal(signal.{name}, end); print('ready', flush=True)\n"
        "while True: time.sleep(0.1)\n"
    )
    one = proxy(program)
    assert one.line() == b"ready\n"
    one.process.send_signal(getattr(signal, name))
    assert one.talk()[::2] == (b"last words\n", 5)


@posix
def test_a_hangup_that_is_ignored_stays_ignored(environment: dict[str, str], work: Path) -> None:
    """`nohup kato acp`: the agent would not have ended either."""
    program = "import sys, time; print('ready', flush=True); time.sleep(1.5); sys.exit(6)"
    command = [sys.executable, "-m", "kato", "acp", "--", sys.executable, "-c", program]
    process = subprocess.Popen(
        ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=work,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(SECONDS) == 6


@pytest.mark.parametrize(("command", "code"), [("no-such-agent", 127), (".", 126)])
def test_an_agent_that_cannot_be_started_is_named(
    environment: dict[str, str], work: Path, command: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kato", "acp", "--", command],
        env=environment,
        cwd=work,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(f"kato acp: {command} cannot be started: ".encode())


def test_what_the_recorder_does_not_understand_is_counted_once_at_the_end(proxy: Run) -> None:
    unknown = {"sessionUpdate": "brand_new", "secret": "words"}
    line = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": unknown}}
    data = b"{no JSON}\n" * 3 + json.dumps(line).encode() + b"\n"
    program = f"import sys, time; sys.stdout.buffer.write({data!r}); sys.stdout.flush(); time.sleep(4)"
    out, errors, code = proxy(program).talk()
    assert (out, code) == (data, 0)
    assert (
        errors
        == b"kato acp: left out of 1 messages: 3 \xc3\x97 invalid JSON, 1 \xc3\x97 unknown session update brand_new\n"
    )


def test_an_agent_that_reads_nothing_ends_the_clients_pipe(proxy: Run) -> None:
    one = proxy("import os, time; os.close(0); time.sleep(1); os._exit(3)")

    def flood() -> None:
        with pytest.raises(BrokenPipeError):
            while True:
                one.send(b"x" * 65536)

    flood()
    with suppress(BrokenPipeError):
        one.process.stdin.close()  # type: ignore[union-attr] # it is a pipe
    one.process.stdin = None
    assert one.talk()[2] == 3


def test_an_agent_that_exits_early_does_not_wait_for_the_client(proxy: Run) -> None:
    one = proxy("import sys; sys.exit(4)")
    assert one.process.wait(SECONDS) == 4  # the client's end is still open


def test_the_agent_sees_the_end_of_the_clients_words_and_may_answer_long_after(proxy: Run) -> None:
    program = "import sys, time; data = sys.stdin.read(); time.sleep(1.5); print(len(data))"
    assert proxy(program).talk(b"x" * 1000)[::2] == (b"1000\n", 0)


def test_a_client_that_reads_slowly_gets_everything(proxy: Run) -> None:
    one = proxy("import sys; sys.stdout.buffer.write(b'0123456789abcde\\n' * 65536)")
    found = b""
    while part := one.read(65536):
        found += part
        time.sleep(0.02)
    assert found == b"0123456789abcde\n" * 65536
    assert one.talk()[2] == 0


@posix
def test_an_agent_whose_client_is_gone_is_ended(proxy: Run) -> None:
    one = proxy("import time, os\nprint(os.getpid(), flush=True)\nwhile True: time.sleep(1)")
    agent = psutil.Process(int(one.line()))
    assert one.process.stdin is not None
    assert one.process.stdout is not None
    one.process.stdin.close()
    one.process.stdout.close()
    assert one.process.wait(SECONDS) == 128 + signal.SIGTERM
    assert not agent.is_running()


@posix
def test_a_process_that_the_agent_left_behind_does_not_hold_the_end_back(proxy: Run) -> None:
    program = "import subprocess, sys; subprocess.Popen(['sleep', '30']); print('x', flush=True); sys.exit(6)"
    started = time.monotonic()
    one = proxy(program)
    assert one.line() == b"x\n"
    assert one.process.wait(SECONDS) == 6
    assert time.monotonic() - started < 15


@posix
def test_the_stream_survives_the_death_of_the_recorder_which_is_reported_once(proxy: Run) -> None:
    one = proxy(ECHO)
    one.send(b"1\n")
    assert one.line() == b"1\n"
    one.observer().kill()
    for _ in range(20):
        one.send(b"2\n")
        assert one.line() == b"2\n"
        time.sleep(0.01)
    out, errors, code = one.talk(b"3\n")
    assert (out, code) == (b"3\n", 0)
    assert errors.count(b"\n") == 1
    assert b"is not recorded" in errors


@posix
@pytest.mark.slow
def test_the_stream_does_not_wait_for_a_recorder_that_hangs(proxy: Run) -> None:
    one = proxy(ECHO)
    observer = one.observer()
    observer.send_signal(signal.SIGSTOP)
    data = (b"x" * 1023 + b"\n") * 20_000
    writer = threading.Thread(target=one.send, args=(data,))
    writer.start()
    assert one.read(len(data)) == data
    writer.join()
    out, errors, code = one.talk()
    assert (out, code) == (b"", 0)
    assert errors.count(b"cannot keep up") == 1
    assert b"bytes of this conversation were not recorded\n" in errors
    observer.send_signal(signal.SIGCONT)
    wait_for(lambda: not observer.is_running(), "the end of the recorder", 30)


def test_the_stream_goes_on_where_nothing_can_be_stored(
    environment: dict[str, str], work: Path, proxy: Run
) -> None:
    (work.parent / "state").write_text("a file in the place of the state folder")
    opened = [
        {"jsonrpc": "2.0", "id": 1, "method": "session/new", "params": {"cwd": str(work)}},
        {"jsonrpc": "2.0", "id": 1, "result": {"sessionId": "s"}},
        prompt(2, "::capture a.md", session="s"),
    ]
    data = b"".join(json.dumps(one).encode() + b"\n" for one in opened)
    one = proxy(ECHO)
    one.send(data)
    assert one.read(len(data)) == data
    time.sleep(1)
    assert one.talk(b"more\n")[::2] == (b"more\n", 0)
    assert not (work / "a.md").exists()


def test_the_stream_passes_through_modules_that_load_little() -> None:
    """The agent starts before anything that takes time is imported."""
    program = (
        "import sys; sys.argv = ['kato', 'acp', '--', sys.executable, '-c', '']; from kato.__main__ import main\n"
        "import kato.channels.acp.entry as entry; entry._start_observer = lambda started: None\n"
        "main(); print(sorted(name for name in sys.modules if name.startswith('kato.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stderr.strip() == str(
        [
            "kato.__main__",
            "kato.channels",
            "kato.channels.acp",
            "kato.channels.acp.entry",
            "kato.channels.acp.frames",
            "kato.channels.acp.pump",
        ]
    )


def test_help_describes_the_command(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kato", "acp", "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "kato acp -- gemini --acp" in done.stdout
    assert "--observe" not in done.stdout
