"""The terminal and the log show foreign text as text: it controls no terminal, forges no lines and ends no command."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from builders import assistant, request, user
from conftest import Start, environment_of
from kato.cli.client import Client, RequestFailed
from kato.core import limits
from logs import ClaudeLog, CodexLog, append, wait_for
from terminal import shown_on, start_on_terminal

if sys.platform == "win32":
    pytest.skip("needs a POSIX terminal", allow_module_level=True)

#: Window title, clear screen, C1 colour, right-to-left override, isolate, line separator, newline, markup that closes nothing.
EVIL = "\x1b]0;OWNED\x07\x1b[2J\x9b31m\u202eevil\u2066\u2028\nFORGED [/] [bold]\r\x7f\x00"
NAME = EVIL.replace("/", "").replace("\x00", "")  # the same as a file's name

pytestmark = pytest.mark.usefixtures("heeded_signals")

#: What rich writes by itself: colours, the cursor hidden and shown, a line cleared, a line up; and a terminal's line ends.
STYLING = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[2K|\x1b\[1A|\r+\n|\r|\n")


def unprintable(text: str) -> set[str]:
    return {
        char
        for char in text
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    }


class Home:
    """A user whose conversations, folders and files are named to do harm, and whose server knows some of it."""

    def __init__(self, tmp_path: Path, environment: dict[str, str]) -> None:
        self.work = tmp_path / "work"
        self.work.mkdir()
        self.state = tmp_path / "state"
        self.environment = environment | {
            "KATO_STATE_DIR": str(self.state),
            "CLAUDE_CONFIG_DIR": str(tmp_path / f"claude {NAME}"),
            "COLUMNS": "80",
            "TERM": "xterm-256color",
        }
        here = ClaudeLog(tmp_path, self.work)
        here.path = tmp_path / f"claude {NAME}" / "projects" / "p" / f"{NAME}.jsonl"
        here.write(
            here.user(f"first {EVIL}"),
            here.line(f"kind {EVIL}", {}, version=EVIL),
            {"type": "ai-title", "aiTitle": f"title {EVIL}", "sessionId": EVIL},
            *[one | {"message": one["message"] | {"model": EVIL}} for one in here.text(f"answer {EVIL}")],
        )
        elsewhere = ClaudeLog(tmp_path, Path(f"/{EVIL}"))
        elsewhere.path = here.path.with_name("00000000-0000-4000-8000-000000000001.jsonl")
        elsewhere.write(elsewhere.user(EVIL))
        codex = CodexLog(Path(environment["HOME"]), Path(f"/{EVIL}"))
        codex.write(*codex.start, *codex.user(EVIL), codex.record(EVIL, {}))
        self.events = tmp_path / "events.jsonl"
        provider = {"provider": "[/]", "sessionId": f"s {EVIL}"}
        append(
            self.events,
            user(f"hello {EVIL}\n::capture {EVIL}\n::init notes.md\n::capture", 1, **provider),
            assistant(f"bye {EVIL}", 2, model=EVIL, **provider),
        )
        self.said = [json.loads(line) for line in self.events.read_text(encoding="utf-8").split("\n") if line]

    @property
    def status_files(self) -> bytes:
        return b"".join(one.read_bytes() for one in (self.state / "servers").glob("*.json"))

    @property
    def log(self) -> bytes:
        return b"".join(one.read_bytes() for one in (self.state / "logs").glob("*.log"))

    def pipe(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "kato", *arguments],
            cwd=self.work,
            env=self.environment | environment,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def terminal(self, *arguments: str, stop_after: str | None = None, **environment: str) -> tuple[int, str]:
        """Runs a command on a terminal of its own; one that does not end by itself is interrupted after this output."""
        process, ours = start_on_terminal(
            [sys.executable, "-m", "kato", *arguments],
            cwd=self.work,
            environment=self.environment | environment,
        )
        output = b""
        late = threading.Timer(60, process.kill)
        late.start()
        try:
            for data in shown_on(ours):
                output += data
                if stop_after is not None and stop_after in output.decode(errors="replace"):
                    process.send_signal(signal.SIGINT)
                    stop_after = None
        finally:
            late.cancel()
            os.close(ours)
            if process.poll() is None and stop_after is not None:
                process.kill()
        return process.wait(timeout=30), output.decode(environment.get("PYTHONIOENCODING", "utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """With a server that runs, and a journal that holds an old session."""
    tmp_path = tmp_path_factory.mktemp("hostile")
    made = Home(tmp_path, environment_of(tmp_path))
    with Client(environment=made.environment, stderr=subprocess.DEVNULL) as client:
        options = {"stateDir": str(made.state), "heartbeatSeconds": 0.1}
        client.initialize(options=options, folders=[str(made.work)])
        client.request("kato/appendEvents", request(made.said, title=f"title {EVIL}", cwd=str(made.work)))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        fresh = [one | {"sessionId": f"now {EVIL}", "timestamp": now} for one in made.said]
        client.request("kato/appendEvents", request(fresh, cwd=f"/{EVIL}"))
        old = [one | {"sessionId": f"old {EVIL}"} for one in made.said]
        client.request("kato/appendEvents", request(old, title=f"title {EVIL}", replay=True))
        with closing(sqlite3.connect(made.state / "journal.sqlite3")) as journal, journal:
            journal.execute("UPDATE session SET updated_at = 0 WHERE session_id = ?", (f"old {EVIL}",))
        wait_for(lambda: made.status_files.count(b"now ") and b"unknown_kind" in made.log, "status and log")
        yield made


COMMANDS: dict[str, tuple[int, list[str]]] = {
    "status": (0, ["status"]),
    "sessions": (0, ["sessions", "--all"]),
    "doctor": (0, ["doctor"]),
    "capture": (0, ["capture", "--latest", f"{NAME}.md"]),
    "capture to stdout": (0, ["capture", "--latest", "-", "--tools", "--thinking"]),
    "capture of what is not there": (1, ["capture", f"nothing {NAME}"]),
    "journal check": (0, ["journal", "check"]),
    "journal export": (0, ["journal", "export"]),
    "clean": (0, ["clean", "--older-than", "1d", "--dry-run"]),
    "demo": (1, ["demo", "--events", "../events.jsonl", "--out", "out\x1b[2J\n[/]"]),
    "a wrong argument": (2, [NAME]),
}

#: The other commands, whose output holds no names of conversations.
MORE_COMMANDS: dict[str, tuple[int, list[str]]] = {
    "no command": (0, []),
    "help": (0, ["help"]),
    "help of a command": (0, ["help", "capture"]),
    "the man page": (0, ["help", "--man"]),
    "completions": (0, ["completions", "zsh"]),
    "config": (0, ["config"]),
    "search": (1, ["search", "nothing like it"]),
    "keep": (0, ["keep", "--since", "1m"]),
    "resume of what is not there": (1, ["resume", f"nothing {NAME}"]),
    "hooks status": (0, ["hooks", "status", "claude"]),
    "mcp status": (0, ["mcp", "status", "codex"]),
    "drift": (0, ["doctor", "--drift"]),
    "a moment that is not one": (2, ["sessions", "--since", "…"]),
}


def plain(output: str) -> str:
    """Without line ends and styling: what must hold text alone."""
    return STYLING.sub("", output)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(home: Home, name: str) -> None:
    code, arguments = COMMANDS[name]
    ended, output = home.terminal(*arguments)
    assert ended == code, output
    assert name == "journal check" or "OWNED" in output, "the name is shown"
    assert unprintable(plain(output)) == set()
    if name != "capture to stdout":  # a note has the lines that were said
        assert not re.search(r"^(\x1b\[[0-9;]*m)*FORGED", output, re.MULTILINE)
    done = home.pipe(*arguments)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    if name not in ("capture to stdout", "journal export"):  # data: exactly what it is
        assert unprintable(STYLING.sub("", done.stdout.decode() + done.stderr.decode())) == set()


def without_figures(text: str) -> str:
    """Memory and ages differ from one run to the next."""
    return re.sub(r"[\d.,]+|\s+", " ", text)


@pytest.mark.parametrize("name", ["status", "sessions", "doctor", "clean", "journal check"])
def test_all_styling_is_richs_own(home: Home, name: str) -> None:
    _, arguments = COMMANDS[name]
    _, styled = home.terminal(*arguments)
    _, dumb = home.terminal(*arguments, TERM="dumb", NO_COLOR="1")
    assert "\x1b" not in dumb
    assert without_figures(plain(styled)) == without_figures(plain(dumb))


@pytest.mark.parametrize(
    ("arguments", "until"),
    [(["watch"], "Watching"), (["status", "--watch"], "OWNED")],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_live_view_shows_hostile_names_as_text(
    home: Home, arguments: list[str], until: str, unbuffered: str
) -> None:
    code, output = home.terminal(*arguments, stop_after=until, PYTHONUNBUFFERED=unbuffered)
    assert code in (0, 130)
    assert "[/]" in plain(output), "the provider's name is no markup"
    assert unprintable(plain(output)) == set()


def test_data_goes_into_a_pipe_exactly(home: Home) -> None:
    exported = home.pipe("journal", "export").stdout
    events = [json.loads(line) for line in exported.decode().split("\n") if line]
    pushed = [event for event in events if event["provider"] == "[/]"]
    assert [event["content"] for event in pushed] == 3 * [event["content"] for event in home.said]
    _, shown = home.terminal("journal", "export")
    assert [json.loads(line) for line in shown.split("\r\n") if line] == events, "on a terminal too, as JSON"
    assert b"\x1b]0;OWNED\x07" in home.pipe("capture", "--latest", "-").stdout


@pytest.mark.parametrize("arguments", [["status"], ["sessions", "--all"], ["doctor"]])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "utf-16"])
def test_json_stays_exact_in_every_encoding(home: Home, arguments: list[str], encoding: str) -> None:
    done = home.pipe(*arguments, "--json", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode(encoding)
    assert unprintable(text.replace("\n", "")) == set()
    known = json.dumps(json.loads(text), ensure_ascii=False)
    assert json.dumps(EVIL, ensure_ascii=False)[1:-1] in known or "roots" in known


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda environment: next(iter(environment.values())),
)
def test_every_encoding_shows_something_readable(home: Home, environment: dict[str, str]) -> None:
    for name, (code, arguments) in (COMMANDS | MORE_COMMANDS).items():
        done = home.pipe(*arguments, **environment)
        # Where names of files are ASCII, the log whose name is not is left out.
        expected = 1 if "LC_ALL" in environment and name.startswith("capture") else code
        assert done.returncode == expected, done.stderr
        assert b"UnicodeEncodeError" not in done.stderr
        assert re.search(rb"[a-z]{4}", done.stdout + done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_command_shows_something_readable_on_a_terminal_of_any_encoding(
    home: Home, encoding: str
) -> None:
    for name, (code, arguments) in (COMMANDS | MORE_COMMANDS).items():
        ended, output = home.terminal(*arguments, PYTHONIOENCODING=encoding)
        assert ended == code, (name, output)
        assert "Traceback" not in output
        assert [sign for sign in "✔✘●·…↳" if f"\\u{ord(sign):04x}" in output] == [], "signs, not escapes"
        assert re.search("[a-z]{4}", plain(output)), name
    for arguments, until in ((["watch"], "Watching"), (["status", "--watch"], "OWNED")):
        ended, output = home.terminal(*arguments, stop_after=until, PYTHONIOENCODING=encoding)
        assert ended in (0, 130), output
        assert "Traceback" not in output


def test_signs_fall_back_to_ascii(tmp_path: Path, environment: dict[str, str]) -> None:
    out = subprocess.run(
        [sys.executable, "-m", "kato", "demo", "--out", str(tmp_path / "out")],
        env=environment | {"PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout.decode("ascii")
    assert "* " in out
    assert "+--" in out, "the note's frame"
    assert "?" not in out.partition("The note")[0]


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipe")
@pytest.mark.parametrize(
    "command", ["sessions --all", "doctor", "status", "journal export", "capture --latest -", "--help"]
)
def test_a_reader_that_goes_away_is_not_a_defect(home: Home, command: str) -> None:
    script = f"{{ {sys.executable} -m kato {command}; echo $? >&3; }} 3>code | exec true"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=home.work,
        env=home.environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    wait_for((home.work / "code").read_text, "the exit code")
    assert (home.work / "code").read_text() in ("0\n", "1\n"), (
        "whether it was done before the reader went away"
    )


def test_every_record_of_the_log_is_one_line(home: Home) -> None:
    """Session ids, names of files, kinds of records and errors of the system come from others."""
    text = home.log.decode()
    assert "OWNED" in text, "the names are there"
    for line in text.removesuffix("\n").split("\n"):
        assert re.match(r"\d{4}-\d\d-\d\d [\d:,]+ \d+ (INFO|WARNING|ERROR) kato|    ", line), line
        assert unprintable(line) == set()


def test_notices_outcomes_and_errors_are_one_clean_line_of_bounded_length(start: Start) -> None:
    client = start(capabilities={"experimental": {"katoNotice": True}})
    said = user("::capture /outside/\u202efdp.md", 9)
    (outcome,) = client.request("kato/appendEvents", request([said]))["commands"]
    wrong = request([said | {"kind": EVIL + "x" * 1_000_000}])
    client.notify("kato/events", wrong)
    with pytest.raises(RequestFailed) as failed:
        client.request("kato/appendEvents", wrong)
    notices = [one["params"] for one in client.notifications if one["method"] == "kato/notice"]
    assert [one["kind"] for one in notices] == ["command_failed", "events_rejected"]
    messages = [outcome["error"]["message"], str(failed.value), *(one["message"] for one in notices)]
    for message in messages:
        assert "\\u202e" in message
        assert unprintable(message) == set()
        assert len(message) <= limits.MESSAGE_CHARS_MAX


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("raise ValueError(evil)", "ValueError: a\\x1b[2J"),
        ("logging.getLogger('asyncio').error(evil)", "a\\x1b[2J\\nb\\u202e\n"),
        ("terminal.print_error(evil)", "a\\x1b[2J\\nb\\u202e\n"),
    ],
)
def test_what_no_command_expects_is_shown_as_text_too(statement: str, shown: str) -> None:
    code = f"import logging; from kato.cli import terminal; terminal.prepare(); evil = 'a\\x1b[2J\\nb\\u202e'; {statement}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert shown in done.stderr
    assert unprintable(done.stderr.replace("\n", "")) == set()
