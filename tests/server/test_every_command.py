"""The terminal: settings and the configuration file, a broken configuration, pipes, bars, and completions on disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kato.core.settings import TABLE
from logs import ClaudeLog, CodexLog
from terminal import Terminal, run_kato, shown_on, start_on_terminal

LONG = "How does a B-tree stay balanced when keys come in ascending order, and what does a split cost then?"


@pytest.fixture
def file(terminal: Terminal) -> Path:
    """The configuration file, which does not exist yet."""
    path = terminal.home / "config" / "config.toml"
    terminal.environment["KATO_CONFIG"] = str(path)
    return path


def output(terminal: Terminal, *arguments: str, code: int = 0, **environment: str) -> str:
    done = run_kato(*arguments, cwd=terminal.cwd, environment=terminal.environment | environment, code=code)
    return done.stdout + done.stderr


# --- kato config -----------------------------------------------------------------------------------------


def test_config_shows_every_setting_and_where_it_comes_from(terminal: Terminal, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('maxSessions = 7\n[markdown]\ntoolCalls = "full"\n', encoding="utf-8")
    terminal.environment["KATO_LOG_LEVEL"] = "debug"
    shown = terminal.json("config")
    assert (shown["path"], shown["exists"], shown["problems"]) == (str(file), True, [])
    found = shown["settings"]
    assert list(found) == [key.name for key in TABLE]
    assert found["maxSessions"] == {"value": 7, "origin": str(file)}
    assert found["markdown.toolCalls"] == {"value": "full", "origin": str(file)}
    assert found["logLevel"] == {"value": "debug", "origin": "environment KATO_LOG_LEVEL"}
    assert found["keepHistory"] == {"value": "seen", "origin": "default"}
    text = terminal.run("config", "show")
    assert text == terminal.run("config")
    assert all(key.name in text for key in TABLE)
    rows = [line.split() for line in text.splitlines()]
    assert ["maxSessions", "file", "7"] in rows
    assert ["logLevel", "environment", "KATO_LOG_LEVEL", '"debug"'] in rows


def test_config_prints_the_path_that_every_command_uses(terminal: Terminal, file: Path) -> None:
    assert terminal.run("config", "--path") == f"{file}\n"
    del terminal.environment["KATO_CONFIG"]
    usual = terminal.run("config", "--path").strip()
    assert usual.endswith("config.toml")
    assert str(terminal.home) in usual


EDITOR = "import sys, pathlib; p = pathlib.Path(sys.argv[2]); p.write_text(p.read_text() + sys.argv[1])"


def edit(terminal: Terminal, tmp_path: Path, added: str, *, code: int = 0) -> str:
    script = tmp_path / "editor.py"
    script.write_text(EDITOR)
    return output(
        terminal, "config", "--edit", code=code, VISUAL="", EDITOR=f"{sys.executable} {script} '{added}'"
    )


@pytest.mark.skipif(os.name == "nt", reason="quoted for a POSIX shell")
def test_config_edit_makes_the_file_opens_it_and_checks_it(
    terminal: Terminal, file: Path, tmp_path: Path
) -> None:
    assert f"{file} is valid" in edit(terminal, tmp_path, "maxSessions = 9\n")
    text = file.read_text(encoding="utf-8")
    assert all(f"\n# {key.name} = " in text for key in TABLE), "a new file lists every setting"
    assert terminal.json("config")["settings"]["maxSessions"]["value"] == 9
    assert file.stat().st_mode & 0o777 == 0o600
    shown = edit(terminal, tmp_path, "maxSesions = 1\n", code=78)
    assert "maxSesions" in shown
    assert "did you mean maxSessions?" in shown
    assert file.read_text(encoding="utf-8").endswith("maxSesions = 1\n"), "the user's text stays"


def test_the_new_file_sets_each_setting_to_its_default(terminal: Terminal, file: Path) -> None:
    output(terminal, "config", "--edit", VISUAL="", EDITOR=sys.executable if os.name == "nt" else "true")
    lines = file.read_text(encoding="utf-8").split("\n")
    without = {key.name for key in TABLE if key.default is None}
    names = {key.name for key in TABLE} - without
    chosen = [line[2:] for line in lines if line[2:].partition(" = ")[0] in names]
    file.write_text("\n".join(chosen), encoding="utf-8")
    found = terminal.json("config")
    assert found["problems"] == []
    assert {name for name, one in found["settings"].items() if one["origin"] == str(file)} == names
    defaults = {key.name: key.default for key in TABLE}
    for name in names:
        assert found["settings"][name]["value"] == json.loads(json.dumps(defaults[name])), name


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"VISUAL": "no-such-editor"}, "the editor no-such-editor cannot be started"),
        ({"VISUAL": "false"}, "the editor false ended with 1"),
        ({"VISUAL": "", "EDITOR": "", "PATH": ""}, "no editor was found; set EDITOR"),
        ({"KATO_CONFIG": os.devnull}, "set it to the path of a file"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="POSIX programs")
@pytest.mark.usefixtures("file")
def test_an_editor_that_fails_is_named(terminal: Terminal, variables: dict[str, str], error: str) -> None:
    assert error in output(terminal, "config", "--edit", code=1, **variables)


# --- A broken configuration -------------------------------------------------------------------------------

BROKEN = {
    "an unknown key": ("maxSesions = 3\nproviderSessionRoots = {gemini = []}\n", "did you mean maxSessions?"),
    "a wrong value": (
        "maxSessions = 0\nproviderSessionRoots = {gemini = []}\n",
        "must be a positive integer, at most 1,000,000,000",
    ),
    "no table": (
        "markdown = 1\nproviderSessionRoots = {gemini = []}\n",
        "must be a table of markdown.* settings",
    ),
    "an unknown assistant": ('providerSessionRoots = {claud = ["/x"]}\n', "did you mean claude?"),
    "not TOML": ("maxSessions = [\n", "must be valid TOML"),
    "not UTF-8": ("# \udcff\n", "must be valid TOML"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_doctor_reports_a_broken_configuration_and_goes_on(
    terminal: Terminal, file: Path, name: str
) -> None:
    text, error = BROKEN[name]
    file.parent.mkdir()
    file.write_bytes(text.encode(errors="surrogateescape"))
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("hello"))
    refusal = terminal.run("sessions", code=78)
    assert error in refusal, "every other command refuses"
    assert refusal.endswith("; `kato config --edit` opens the file\n")
    shown = terminal.run("doctor")
    assert "✘ Setting not valid: " in shown
    assert error in shown
    assert "Claude Code" in shown
    found = terminal.json("doctor")
    assert sum(one["sessions"] for one in found["roots"] if one["provider"] == "claude") == 1
    (problem,) = found["configuration"]
    assert error in problem["message"]
    has_valid_rest = "gemini = []" in text
    assert any(one["provider"] == "gemini" for one in found["roots"]) is not has_valid_rest
    assert error in output(terminal, "config", code=78)
    assert error in output(terminal, "doctor", "--drift")


def test_a_wrong_variable_of_the_environment_is_reported_with_its_name(terminal: Terminal) -> None:
    shown = output(terminal, "doctor", KATO_DAEMON_MAX_MEMORY_MB="much")
    assert "environment KATO_DAEMON_MAX_MEMORY_MB" in shown
    assert "kato config" not in output(terminal, "sessions", code=78, KATO_DAEMON_MAX_MEMORY_MB="much")


# --- Pipes, terminals, bars --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["", "20"])
def test_nothing_is_cut_in_a_pipe(terminal: Terminal, columns: str) -> None:
    deep = terminal.cwd / ("a folder with a long name " * 4).strip() / "and another one in it"
    claude = ClaudeLog(terminal.home, deep)
    claude.write(claude.user("x"), {"type": "ai-title", "aiTitle": LONG, "sessionId": claude.session})
    codex = CodexLog(terminal.home, deep)
    codex.write(*codex.start, *codex.user("hello"), codex.record("a_kind_that_no_reader_knows", {}))
    terminal.environment["COLUMNS"] = columns
    listed = terminal.run("sessions")
    assert f" {LONG} " in listed
    assert claude.session in listed
    assert codex.session in listed
    assert str(deep) in listed
    assert "a_kind_that_no_reader_knows" in terminal.run("doctor").replace("\n", "")
    assert LONG in terminal.run("search", "x")


@pytest.mark.skipif(os.name == "nt", reason="a POSIX terminal")
def test_a_terminal_shows_lines_of_its_width(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd)
    log.write(log.user("x"), {"type": "ai-title", "aiTitle": LONG, "sessionId": log.session})
    shown = on_terminal(terminal, "sessions", COLUMNS="80", TERM="dumb")
    assert LONG not in shown
    assert "…" in shown
    assert max(len(line) for line in shown.replace("\r", "").split("\n")) <= 80


def on_terminal(terminal: Terminal, *arguments: str, **environment: str) -> str:
    process, ours = start_on_terminal(
        [sys.executable, "-m", "kato", *arguments],
        cwd=terminal.cwd,
        environment=terminal.environment | environment,
    )
    shown = b"".join(shown_on(ours))
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode()


SLOW = """
import sys, time
from kato.cli import progress
bar_is_awaited = sys.argv[1] == "long" and sys.stderr.isatty()
with progress.shown("Counting", 10) as bar:
    bar.advance(4)
    deadline = time.monotonic() + 30
    while bar_is_awaited and bar._shown is None and time.monotonic() < deadline:
        time.sleep(0.05)
    bar.advance()
print("done")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a POSIX terminal")
@pytest.mark.parametrize(("kind", "is_shown"), [("short", False), ("long", True)])
def test_a_bar_is_drawn_after_a_second_and_on_a_terminal_alone(
    terminal: Terminal, tmp_path: Path, kind: str, is_shown: bool
) -> None:
    program = tmp_path / "slow.py"
    program.write_text(SLOW)
    command = [sys.executable, str(program), kind]
    environment = terminal.environment | {"TERM": "xterm"}
    process, ours = start_on_terminal(command, cwd=tmp_path, environment=environment, stdout=subprocess.PIPE)
    drawn = b"".join(shown_on(ours))
    os.close(ours)
    out, _ = process.communicate(timeout=30)
    assert out == b"done\n", "standard output has no part of the bar"
    assert (b"Counting" in drawn) is is_shown
    assert (b"/10" in drawn) is is_shown, "how much there is"
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == (b"done\n", b"")


def test_a_status_that_refreshes_has_no_json_form(terminal: Terminal) -> None:
    assert "not allowed with argument" in terminal.run("status", "--watch", "--json", code=2)


def test_in_a_pipe_one_status_follows_the_other(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "kato", "status", "--watch"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        lines = [watch.stdout.readline() for _ in range(2)]
        watch.send_signal(signal.SIGINT)
    assert lines == 2 * [b"No Kato server is running.\n"]
    assert watch.returncode == 130


# --- Completions, resume -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", ".local/share/bash-completion/completions/kato"),
        ("zsh", ".local/share/zsh/site-functions/_kato"),
        ("fish", ".config/fish/completions/kato.fish"),
    ],
)
def test_completions_are_installed_where_the_shell_finds_them(
    terminal: Terminal, shell: str, path: str
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR"):
        terminal.environment.pop(name, None)
    printed = output(terminal, "completions", SHELL=f"/usr/bin/{shell}")
    assert printed == terminal.run("completions", shell)
    for _ in range(2):
        shown = terminal.run("completions", shell, "--install")
        assert str(terminal.home / path) in shown
        assert (terminal.home / path).read_text(encoding="utf-8") == printed
    assert [one.name for one in (terminal.home / path).parent.iterdir()] == [Path(path).name], "no copies"
    assert "name the shell: bash, zsh, fish" in output(terminal, "completions", code=2, SHELL="/bin/tcsh")


def test_a_command_line_that_the_encoding_cannot_carry_is_refused(terminal: Terminal) -> None:
    log = ClaudeLog(terminal.home, terminal.cwd / "資料")
    log.write(log.user("hello"))
    assert "資料" in terminal.run("resume", log.session)
    shown = output(terminal, "resume", log.session, code=1, PYTHONIOENCODING="cp1252")
    assert "use --run" in shown


def test_since_filters_what_is_listed(terminal: Terminal) -> None:
    for number, hours in enumerate((1, 30, 300)):
        log = ClaudeLog(terminal.home, terminal.cwd)
        log.write(log.user(f"number {number}", timestamp=utc(-hours)))
        os.utime(log.path, (time.time() - hours * 3600,) * 2)

    def titles(since: str) -> list[str]:
        return [one["title"] for one in terminal.json("sessions", "--since", since)["sessions"]]

    assert titles("2 hours ago") == ["number 0"]
    assert titles("2d") == ["number 0", "number 1"]
    assert titles("last month") == ["number 0", "number 1", "number 2"]


def utc(hours: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))
