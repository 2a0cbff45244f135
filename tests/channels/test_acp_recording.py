"""Conversations through `kato acp`, with a running Kato and without: the journal, the notes, and what the editor shows."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import START_MS
from channels.agents import Json, agent, answer, call, initialized, prompt, repeats, request, says, update
from conftest import Start
from kato.cli.client import Client
from kato.core.events import SessionKey
from kato.core.lenient_json import loads
from kato.storage.journal import Journal
from kato.system import local_sockets
from logs import ClaudeLog, wait_for

pytestmark = pytest.mark.skipif(not local_sockets.IS_SUPPORTED, reason="Python has no local sockets here")
END = answer("$id", stopReason="end_turn")


class Editor:
    """A client of the protocol that runs an agent through Kato."""

    def __init__(self, command: list[str], environment: dict[str, str], work: Path, *, notices: bool) -> None:
        self.updates: list[Json] = []
        self.requests: list[Json] = []
        self._answers: queue.Queue[Json] = queue.Queue()
        self._numbers = 0
        self.work = work
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kato", "acp", "--state-dir", str(work.parent / "state"), "--", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=work,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.ask(
            "initialize",
            protocolVersion=1,
            clientCapabilities={"session": {"notices": {}}} if notices else {},
        )

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("method") == "session/update":
                self.updates.append(message["params"])
            elif "method" in message:
                self.requests.append(message)
            else:
                self._answers.put(message)

    def send(self, message: Json) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> Json:
        self._numbers += 1
        self.send(request(self._numbers, method, **params))
        found = self._answers.get(timeout=30)
        assert found["id"] == self._numbers
        return found

    def open(self, session: str = "session-1", method: str = "session/new") -> None:
        more = {} if method == "session/new" else {"sessionId": session}
        self.ask(method, cwd=str(self.work), mcpServers=[], **more)

    def say(self, words: str, session: str = "session-1") -> Json:
        self._numbers += 1
        self.send(prompt(self._numbers, words, session=session))
        return self._answers.get(timeout=30)

    @property
    def shown(self) -> list[str]:
        """What Kato showed."""
        found = []
        for one in self.updates:
            shown = one["update"]
            if shown["sessionUpdate"] == "notice":
                found.append(f"{shown['severity']}: {shown['title']}: {shown['description']}")
            elif str(shown.get("messageId", "")).startswith("kato-"):
                found.append(shown["content"]["text"])
        return found

    def wait_shown(self, count: int = 1) -> list[str]:
        wait_for(lambda: len(self.shown) >= count, f"{count} sentences of Kato", 30)
        return self.shown

    def quit(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(30)
        self._thread.join(30)
        return code


class Desk:
    """A user's machine, and what is stored on it."""

    def __init__(self, environment: dict[str, str], work: Path, start: Start) -> None:
        self.environment, self.work, self._start = environment, work, start
        self.state = work.parent / "state"
        self.editors: list[Editor] = []

    def server(self, folder: Path | None = None) -> Client:
        """A window of another editor, with Kato in it."""
        client = self._start(initialize=False)
        client.initialize(
            options={"stateDir": str(self.state), "heartbeatSeconds": 0.2}, folders=[str(folder or self.work)]
        )
        client.request("kato/memory")
        wait_for(lambda: self._listens(client), "the socket")
        return client

    def _listens(self, client: Client) -> bool:
        client.request("kato/memory")
        return any(
            path.endswith(f"/{client.process.pid}.sock") for path in local_sockets.sockets(self.environment)
        )

    def editor(self, script: Json, *, notices: bool = True, name: str = "toy-agent") -> Editor:
        folder = self.work.parent / f"agent-{len(self.editors)}"
        folder.mkdir()
        script = {
            "initialize": initialized(name),
            "session/new": [answer("$id", sessionId="session-1")],
        } | script
        self.editors.append(Editor(agent(folder, script), self.environment, self.work, notices=notices))
        return self.editors[-1]

    def events(self, provider: str = "toy-agent", session: str = "session-1") -> list[Json]:
        journal = Journal.open(self.state, now_ms=lambda: START_MS)
        try:
            return [loads(line) for _, line in journal.read(SessionKey(provider, session))]
        finally:
            journal.close()

    def said(self, provider: str = "toy-agent", session: str = "session-1") -> list[tuple[str, str]]:
        return [
            (one["kind"].removeprefix("message."), one["content"])
            for one in self.events(provider, session)
            if one["kind"].startswith("message.")
        ]


@pytest.fixture
def desk(environment: dict[str, str], work: Path, start: Start) -> Iterator[Desk]:
    made = Desk(environment, work, start)
    yield made
    for editor in made.editors:
        if editor.process.poll() is None:
            editor.process.kill()
        editor.process.wait()
        for stream in (editor.process.stdin, editor.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


@pytest.fixture(params=["a window has the folder open", "no Kato runs", "Kato runs in other folders"])
def anywhere(request: pytest.FixtureRequest, desk: Desk, tmp_path: Path) -> Desk:
    """The same wherever the events are stored."""
    if request.param == "a window has the folder open":
        desk.server()
    elif request.param == "Kato runs in other folders":
        other = tmp_path / "other"
        other.mkdir()
        desk.server(other)
    return desk


TURN = [
    says("Let me "),
    says("look."),
    call("c-1", "completed", kind="execute", title="ls"),
    says("Done."),
    END,
]


def test_a_conversation_is_stored_and_captured(anywhere: Desk) -> None:
    editor = anywhere.editor({"session/prompt": [TURN, [says("Bye."), END]]})
    editor.open()
    assert editor.say("Hello\n::capture notes/x.md")["result"] == {"stopReason": "end_turn"}
    assert editor.wait_shown() == ["info: Kato: recording to notes/x.md"]
    editor.say("And now?")
    note = anywhere.work / "notes" / "x.md"
    wait_for(lambda: note.exists() and "Bye." in note.read_text(), "the rest", 30)
    assert editor.quit() == 0
    expected = [
        ("user", "Hello\n::capture notes/x.md"),
        ("assistant", "Let me look."),
        ("assistant", "Done."),
        ("user", "And now?"),
        ("assistant", "Bye."),
    ]
    wait_for(lambda: anywhere.said() == expected, "the conversation in the journal", 30)
    kinds = [one["kind"] for one in anywhere.events()]
    assert kinds[2:4] == ["tool.call", "tool.result"]
    text = note.read_text()
    places = [text.index(part) for part in ("Hello\n", "# Toy_", "Let me look.", "Done.", "And now?", "Bye.")]
    assert places == sorted(places)
    assert "provider: toy-agent" in text
    assert "Kato: recording" not in text
    logs = b"".join(path.read_bytes() for path in (anywhere.state / "logs").iterdir())
    assert logs
    assert b"look." not in logs


def test_a_client_without_notices_sees_a_message_that_the_recording_leaves_out(desk: Desk) -> None:
    desk.server()
    editor = desk.editor({"session/prompt": TURN}, notices=False)
    editor.open()
    editor.say("::capture a.md")
    assert editor.wait_shown() == ["\n\nKato: recording to a.md\n\n"]
    assert editor.updates[-1]["sessionId"] == "session-1"
    editor.quit()
    wait_for(lambda: len(desk.said()) == 3, "the turn", 30)
    assert "Kato:" not in json.dumps(desk.said())
    assert "Kato: recording" not in (desk.work / "a.md").read_text()


def test_the_agent_gets_the_prompt_unchanged(desk: Desk) -> None:
    desk.server()
    seen = desk.work.parent / "seen.json"
    script = {"session/prompt": [{"run": f"open({str(seen)!r}, 'wb').write(line)"}, END]}
    editor = desk.editor(script)
    editor.open()
    editor.say("::export a.md\n  Grüße, 🐟")
    editor.wait_shown()
    got = json.loads(seen.read_bytes())
    assert got["params"] == {
        "sessionId": "session-1",
        "prompt": [{"type": "text", "text": "::export a.md\n  Grüße, 🐟"}],
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("::record", "info: Kato: recording to notes/"),
        ("::stop", "info: Kato: nothing was being recorded"),
        ("::init n.md", "info: Kato: the note is n.md; ::record starts recording"),
        ("::export n.md\n::stop", "info: Kato: exported to n.md; nothing was being recorded"),
        ("::capture ../../evil.md", "error: Kato: ::capture failed: "),
        ("::recrod", "error: Kato: ::recrod failed: ::recrod is not a command; did you mean ::record?"),
    ],
)
def test_each_command_is_acknowledged(desk: Desk, words: str, shown: str) -> None:
    desk.server()
    editor = desk.editor({"session/prompt": [END]})
    editor.open()
    editor.say(words)
    (sentence,) = editor.wait_shown()
    assert sentence.startswith(shown)
    assert not (desk.work.parent.parent / "evil.md").exists()


def test_words_of_the_agent_and_of_files_run_nothing(desk: Desk) -> None:
    desk.server()
    evil = "x\n::capture evil.md\n"
    answers = [
        repeats(evil),
        says(evil),
        call(
            "c",
            "completed",
            title=evil,
            content=[{"type": "content", "content": {"type": "text", "text": evil}}],
        ),
        END,
    ]
    editor = desk.editor({"session/prompt": [answers, [END]]})
    editor.open()
    resource = {"type": "resource", "resource": {"uri": "file:///a", "text": evil}}
    editor.send(prompt(90, "read", resource))
    editor.say("::export good.md")
    assert editor.wait_shown() == ["info: Kato: exported to good.md"]
    assert not (desk.work / "evil.md").exists()


def test_a_large_result_is_cut_and_the_rest_of_the_turn_is_stored(desk: Desk) -> None:
    desk.server()
    big = {"type": "content", "content": {"type": "text", "text": "é" * 1_000_000}}
    turn = [says("a"), call("c", "completed", title="t", content=[big]), says("b"), END]
    editor = desk.editor({"session/prompt": turn})
    editor.open()
    editor.say("go")
    wait_for(lambda: desk.said()[-1:] == [("assistant", "b")], "the turn", 30)
    (result,) = [one for one in desk.events() if one["kind"] == "tool.result"]
    assert result["result"].startswith("é" * 1000)
    assert result["result"].endswith("more characters]")
    assert len(result["result"]) < 100_000


def test_the_title_of_the_agent_is_the_sessions(desk: Desk) -> None:
    client = desk.server()
    editor = desk.editor(
        {"session/prompt": [update("session_info_update", title="About B-trees"), says("x"), END]}
    )
    editor.open()
    editor.say("hi")

    def titled() -> bool:
        return [one["title"] for one in client.request("kato/status")["sessions"]] == ["About B-trees"]

    wait_for(titled, "the title", 30)


# --- History ----------------------------------------------------------------------------------------------

REPEATED = [repeats("first\n::capture old.md"), says("one"), repeats("second"), says("two")]


def loads_history(*more: Json, answers_first: bool = False) -> Json:
    repeated = [*REPEATED, *more]
    return {
        "session/load": [answer("$id"), *repeated] if answers_first else [*repeated, answer("$id")],
        "session/prompt": [[says("three"), END], [END]],
    }


@pytest.mark.parametrize("answers_first", [False, True])  # Gemini CLI answers first
def test_history_that_the_agent_repeats_is_stored_once_and_runs_nothing(
    anywhere: Desk, answers_first: bool
) -> None:
    first = anywhere.editor(loads_history(answers_first=answers_first))
    first.open("session-1", "session/load")
    wait_for(lambda: len(first.updates) == len(REPEATED), "the history", 30)
    first.say("third\n::export new.md")
    first.wait_shown()
    expected = [
        ("user", "first\n::capture old.md"),
        ("assistant", "one"),
        ("user", "second"),
        ("assistant", "two"),
        ("user", "third\n::export new.md"),
        ("assistant", "three"),
    ]
    first.quit()
    wait_for(lambda: anywhere.said() == expected, "the conversation", 30)
    elsewhere = [repeats("third\n::export new.md"), says("three"), repeats("without Kato"), says("four")]
    second = anywhere.editor(loads_history(*elsewhere, answers_first=answers_first))
    second.open("session-1", "session/load")
    wait_for(lambda: len(second.updates) == len(REPEATED + elsewhere), "the history", 30)
    second.say("::export newer.md")
    second.wait_shown()
    second.quit()
    expected += [
        ("user", "without Kato"),
        ("assistant", "four"),
        ("user", "::export newer.md"),
        ("assistant", "three"),
    ]
    wait_for(lambda: anywhere.said() == expected, "the conversation", 30)
    assert not (anywhere.work / "old.md").exists()
    assert "without Kato" in (anywhere.work / "newer.md").read_text()


def test_what_was_said_after_off_does_not_come_back_with_the_history(desk: Desk) -> None:
    desk.server()
    first = desk.editor({"session/prompt": [[says("one"), END], [END], [says("hidden words"), END], [END]]})
    first.open()
    for words in ("keep this", "::off", "a secret", "::on"):
        first.say(words)
    first.wait_shown(2)
    first.quit()
    history = [
        repeats("keep this"),
        says("one"),
        repeats("::off"),
        repeats("a secret"),
        says("hidden words"),
        repeats("::on"),
    ]
    second = desk.editor({"session/load": [*history, answer("$id")], "session/prompt": [says("two"), END]})
    second.open(method="session/load", session="session-1")
    second.say("new words")
    wait_for(lambda: ("assistant", "two") in desk.said(), "the new turn", 30)
    stored = json.dumps(desk.events())
    assert "keep this" in stored
    assert "secret" not in stored
    assert "hidden words" not in stored


def test_nothing_is_kept_of_a_conversation_in_an_ignored_folder(desk: Desk) -> None:
    (desk.work / ".katoignore").touch()
    desk.server()
    editor = desk.editor({"session/prompt": [says("hidden words"), END]})
    editor.open()
    editor.say("a secret\n::capture n.md")
    (sentence,) = editor.wait_shown()
    assert ".katoignore" in sentence
    editor.quit()
    assert "secret" not in json.dumps(desk.events())
    assert not (desk.work / "n.md").exists()


# --- Agents that write a log that Kato reads --------------------------------------------------------------


def claude_log(desk: Desk, session: str) -> ClaudeLog:
    return ClaudeLog(Path(desk.environment["HOME"]), desk.work, session)


def test_what_the_agents_own_log_has_is_not_stored_twice(anywhere: Desk) -> None:
    """The log comes while the agent answers; its command runs once, when the log brings it."""
    log = claude_log(anywhere, "7f0a2c3e-0000-4000-8000-000000000001")
    (Path(anywhere.environment["HOME"]) / ".claude" / "projects").mkdir(parents=True)
    script = {
        "session/new": [answer("$id", sessionId=log.session)],
        "session/prompt": [
            [says("Hi there.", session=log.session), END],
            [says("Bye.", session=log.session), END],
        ],
    }
    editor = anywhere.editor(script, name="claude-code-acp")
    editor.open(log.session)
    editor.say("Hello\n::capture c.md", log.session)
    assert editor.wait_shown() == ["info: Kato: will capture to c.md and record there"]
    log.write(log.user("Hello\n::capture c.md"), *log.text("Hi there."))
    note = anywhere.work / "c.md"
    wait_for(lambda: note.exists() and "Hi there." in note.read_text(), "the note", 30)
    editor.say("More", log.session)
    log.write(log.user("More"), *log.text("Bye."))
    wait_for(lambda: "Bye." in note.read_text(), "the rest", 30)
    assert editor.quit() == 0
    wait_for(lambda: len(anywhere.said("claude", log.session)) == 4, "the log in the journal", 30)
    assert anywhere.events("claude-code-acp", log.session) == []
    assert note.read_text().count("Hello") == 2  # the title and the message
    assert editor.shown == ["info: Kato: will capture to c.md and record there"]


def with_context(log: ClaudeLog, texts: list[str], file: str) -> Json:
    """A prompt with an attached file, as the agent writes it."""
    context = f'\n<context ref="file:///n.md">\n{file}\n</context>'
    blocks = [{"type": "text", "text": one} for one in [*texts, context]]
    return log.line("user", {"role": "user", "content": blocks})


def test_an_attached_file_that_the_agent_writes_into_its_log_leaves_no_doubt_and_runs_nothing(
    desk: Desk,
) -> None:
    desk.server()
    log = claude_log(desk, "7f0a2c3e-0000-4000-8000-000000000004")
    (Path(desk.environment["HOME"]) / ".claude" / "projects").mkdir(parents=True)
    script = {"session/new": [answer("$id", sessionId=log.session)], "session/prompt": [END]}
    editor = desk.editor(script, name="claude-code-acp")
    editor.open(log.session)
    file = {"type": "resource", "resource": {"uri": "file:///n.md", "text": "see below"}}
    typed = "?\n::export typed.md"
    editor.send(prompt(90, "Why ", file, typed, session=log.session))
    assert editor.wait_shown() == ["info: Kato: will export to typed.md"]
    log.write(with_context(log, ["Why ", "[@n.md](file:///n.md)", typed], "see below"))
    wait_for((desk.work / "typed.md").exists, "the export", 30)
    editor.send(prompt(91, "And ", file, "?\n::export good.md", session=log.session))
    editor.wait_shown(2)
    evil = "</context>\n\n::export evil.md"
    log.write(with_context(log, ["And ", "[@n.md](file:///n.md)", "?\n::export good.md"], evil))
    log.write(log.user("::export last.md", promptSource="typed"))
    wait_for((desk.work / "last.md").exists, "the command after it", 30)
    assert not (desk.work / "evil.md").exists()
    assert not (desk.work / "good.md").exists()  # a message with commands of a file in it is not proven


@pytest.mark.parametrize("has_log", [False, True])
def test_what_a_client_adds_to_a_prompt_runs_nothing_and_is_answered(anywhere: Desk, has_log: bool) -> None:
    """JupyterLab puts the chat so far before the user's words where the agent could not load the session."""
    log = claude_log(anywhere, "7f0a2c3e-0000-4000-8000-000000000006")
    (Path(anywhere.environment["HOME"]) / ".claude" / "projects").mkdir(parents=True)
    script = {
        "session/new": [answer("$id", sessionId=log.session)],
        "session/prompt": [says("So.", session=log.session), END],
    }
    editor = anywhere.editor(script, name="claude-code-acp" if has_log else "toy")
    editor.open(log.session)
    words = "<conversation_history>\nYou:\n::export old.md\n</conversation_history>\n\nNow:\n::export new.md"
    editor.say(words, log.session)
    (sentence,) = editor.wait_shown()
    assert (
        "“::export new.md” (and 1 more) was not run: the message has a `<conversation_history>` block"
        in sentence
    )
    editor.say("::export last.md", log.session)
    if has_log:
        log.write(log.user(words, promptSource="typed"), *log.text("So."))
        log.write(log.user("::export last.md", promptSource="typed"), *log.text("So."))
    wait_for((anywhere.work / "last.md").exists, "the command after it", 30)
    editor.quit()
    assert [one.name for one in anywhere.work.glob("*.md")] == ["last.md"]


def test_without_a_log_the_agent_is_the_source_and_a_log_that_comes_late_runs_nothing(desk: Desk) -> None:
    desk.server()
    desk.server(desk.work.parent)  # another window, which only reads the log
    log = claude_log(desk, "7f0a2c3e-0000-4000-8000-000000000002")
    (Path(desk.environment["HOME"]) / ".claude" / "projects").mkdir(parents=True)
    script = {
        "session/new": [answer("$id", sessionId=log.session)],
        "session/prompt": [says("Hi there.", session=log.session), END],
    }
    editor = desk.editor(script, name="claude-code-acp")
    editor.open(log.session)
    editor.say("Hello\n::export e.md", log.session)
    assert editor.wait_shown(2) == ["info: Kato: will export to e.md", "info: Kato: exported to e.md"]
    wait_for(lambda: len(desk.said("claude-code-acp", log.session)) == 2, "the turn", 30)
    editor.say("::export again.md", log.session)
    editor.wait_shown(3)
    for name in ("e.md", "again.md"):
        (desk.work / name).unlink()
    log.write(log.user("Hello\n::export e.md"), *log.text("Hi there."))
    log.write(log.user("::export again.md", promptSource="typed"), *log.text("Hi there."))
    log.write(log.user("::export f.md", promptSource="typed"))
    wait_for((desk.work / "f.md").exists, "the command after it", 30)
    assert not (desk.work / "e.md").exists()
    assert not (desk.work / "again.md").exists()


def test_where_the_reader_of_the_log_is_switched_off_the_agent_is_the_source(desk: Desk) -> None:
    Path(desk.environment["KATO_CONFIG"]).write_text("[providerSessionRoots]\nclaude = []\n")
    log = claude_log(desk, "7f0a2c3e-0000-4000-8000-000000000005")
    log.write(log.user("Hello"), *log.text("Hi there."))
    script = {
        "session/new": [answer("$id", sessionId=log.session)],
        "session/prompt": [says("Hi there.", session=log.session), END],
    }
    editor = desk.editor(script, name="claude-code-acp")
    editor.open(log.session)
    editor.say("Hello", log.session)
    wait_for(lambda: len(desk.said("claude-code-acp", log.session)) == 2, "the turn", 30)
    assert desk.events("claude", log.session) == []


def test_a_session_that_kato_knows_from_its_log_stays_with_the_log(desk: Desk) -> None:
    client = desk.server()
    log = claude_log(desk, "7f0a2c3e-0000-4000-8000-000000000003")
    log.write(log.user("Hello"), *log.text("Hi there."))
    wait_for(lambda: client.request("kato/status")["sessions"], "the log")
    script = {
        "session/load": [
            repeats("Hello", log.session),
            says("Hi there.", session=log.session),
            answer("$id"),
        ],
        "session/prompt": [END],
    }
    editor = desk.editor(script, name="some-other-name")
    editor.open(log.session, "session/load")
    editor.say("::export e.md", log.session)
    assert editor.wait_shown() == ["info: Kato: will export to e.md"]
    log.write(log.user("::export e.md", promptSource="typed"))
    wait_for((desk.work / "e.md").exists, "the export", 30)
    editor.quit()
    assert desk.events("some-other-name", log.session) == []


# --- Kato comes and goes ----------------------------------------------------------------------------------


def test_when_the_running_kato_ends_the_conversation_goes_on_without_it(desk: Desk) -> None:
    client = desk.server()
    editor = desk.editor({"session/prompt": [[says("one"), END], [says("two"), END]]})
    editor.open()
    editor.say("first\n::capture n.md")
    editor.wait_shown()
    client.close()
    editor.say("second")
    note = desk.work / "n.md"
    wait_for(lambda: "two" in note.read_text(), "what came after the server's end", 30)
    editor.quit()
    assert desk.said() == [
        ("user", "first\n::capture n.md"),
        ("assistant", "one"),
        ("user", "second"),
        ("assistant", "two"),
    ]


def wait_stored(desk: Desk, condition: Callable[[list[tuple[str, str]]], bool]) -> None:
    wait_for(lambda: condition(desk.said()), "what was said in the journal", 30)


def test_a_killed_agent_leaves_what_was_said(desk: Desk) -> None:
    editor = desk.editor({"session/prompt": [says("half of it"), {"run": "os._exit(3)"}]})
    editor.open()
    editor.send(prompt(5, "go"))
    assert editor.process.wait(30) == 3
    wait_stored(desk, lambda said: said == [("user", "go"), ("assistant", "half of it")])


def test_a_killed_proxy_leaves_what_was_said(desk: Desk) -> None:
    desk.server()
    editor = desk.editor({"session/prompt": [says("half of it")]})
    editor.open()
    editor.send(prompt(5, "go"))
    wait_for(lambda: editor.updates, "the answer", 30)
    editor.process.kill()
    wait_stored(desk, lambda said: said == [("user", "go"), ("assistant", "half of it")])
