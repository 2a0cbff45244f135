"""Assistants that other packages add: found by their entry points, checked, and never in the way of the others."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import user
from engine.machine import Window
from kato.assistants import registry
from kato.assistants.contract import LogFile, Problem, Surroundings
from kato.core.actions import Action, Other, Read
from kato.core.tools import action_of
from kato.logs import discovery
from kato.logs.tail import Tail
from kato.testing import read
from providers.plugin import MODULE, install

PLACE = Surroundings({}, "/home/u", "linux", ("/w",))
BUILT_IN = [assistant.name for assistant in registry.ASSISTANTS]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages. What the registry knows already is forgotten before the test and after it."""

    def forget() -> None:
        registry.plugins.cache_clear()
        registry._entry_points.cache_clear()
        importlib.invalidate_caches()
        for name in [name for name in sys.modules if name.startswith("kato_")]:
            del sys.modules[name]

    monkeypatch.syspath_prepend(tmp_path)
    forget()
    yield tmp_path
    forget()


def refusals() -> dict[str, str]:
    return {refusal.name: refusal.reason for refusal in registry.plugins().refusals}


def test_without_plugins_there_are_the_built_in_assistants() -> None:
    assert registry.assistants() == registry.ASSISTANTS
    assert registry.names() == tuple(BUILT_IN)


def test_a_plugin_comes_behind_the_built_in_assistants(folder: Path) -> None:
    install(folder, "example")
    *built_in, added = registry.assistants()
    assert built_in == list(registry.ASSISTANTS)
    assert (added.name, added.title, added.roots(PLACE)) == ("example", "An Example", ["/home/u/.example"])
    assert added.match(["s.log"]) == LogFile("s")
    assert refusals() == {}


def test_the_logs_of_a_plugin_are_found_and_read(folder: Path) -> None:
    install(folder, "example")
    (folder / "logs").mkdir()
    (folder / "logs" / "s.log").write_text('{"id": "1", "said": "hello"}\n')
    (root,) = [
        root
        for root in discovery.roots(PLACE, {"example": [str(folder / "logs")]})
        if root.assistant.name == "example"
    ]
    (found,) = discovery.scan(root)
    tail = Tail(found, PLACE)
    tail.read()
    (event,) = tail.settle().events
    assert (event.provider, event.session_id, event.event_id) == ("example", "s", "1")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("class Broken(BaseException): ...\nx = 1", "AttributeError: "),
        ("ASSISTANT = 3", "the entry point refers to "),
        (MODULE.replace(", contract=CONTRACT_VERSION", ""), "contract must be 1"),
        (MODULE.replace("=CONTRACT_VERSION", "=99"), "contract must be 1"),
        (MODULE.replace('Assistant("{name}"', 'Assistant("other"'), "name must be the entry point's name"),
        (MODULE.replace('"An Example"', '""'), "title must be "),
        (MODULE.replace('"An Example"', '"An\\nExample"'), "title must be "),
        (MODULE.replace("return [place", "return 3, [place"), "roots must return "),
        (
            MODULE.replace('return [place.path(place.home, ".{name}")]', "return place.home"),
            "roots must return ",
        ),
        (MODULE.replace("    return LogFile", "    return parts\n    return LogFile"), "match must return "),
        (MODULE.replace("lambda parts: False, reader", "lambda parts: False, None"), "reader must be "),
        (MODULE.replace("return LogFile", "return parts[9]; return LogFile"), "IndexError: "),
        (MODULE.replace("lambda parts: False", "None"), "TypeError: "),
        (MODULE.replace("=CONTRACT_VERSION)", "=CONTRACT_VERSION, tools=['peek'])"), "tools must map "),
        (
            MODULE.replace("=CONTRACT_VERSION)", "=CONTRACT_VERSION, tools={'Peek': len})"),
            "tools must map ",
        ),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_refused_with_the_reason(
    folder: Path, source: str, reason: str
) -> None:
    install(folder, "broken", source)
    install(folder, "example")
    assert [one.name for one in registry.assistants()] == [*BUILT_IN, "example"]
    assert list(refusals()) == ["broken"]
    assert refusals()["broken"].startswith(reason)
    assert registry.plugins().refusals[0].package == "kato-broken"


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        ("lambda given: Read(given['at'])", Read("a")),
        ("lambda given: Read(given['where'])", Other("Peek", {"at": "a"})),
        ("lambda given: 'a text'", Other("Peek", {"at": "a"})),
    ],
)
def test_a_plugin_declares_its_tools_for_its_own_sessions(folder: Path, read: str, wanted: Action) -> None:
    tools = f"tools={{'peek': {read}}})"
    source = "from kato.core.actions import Read\n" + MODULE.replace(
        "=CONTRACT_VERSION)", f"=CONTRACT_VERSION, {tools}"
    )
    install(folder, "example", source)
    assert registry.tools("example") == {}, "plugins are not loaded yet"
    registry.assistants()
    assert action_of("Peek", {"at": "a"}, registry.tools("example")) == wanted
    assert registry.tools("claude") is registry.ASSISTANTS[0].tools


def test_a_name_that_is_taken_is_refused(folder: Path) -> None:
    install(folder, "claude")
    install(folder, "example")
    assert [one.name for one in registry.assistants()] == [*BUILT_IN, "example"]
    assert refusals() == {"claude": "another assistant has this name"}


def test_the_second_of_two_plugins_with_one_name_is_refused(folder: Path) -> None:
    install(folder, "example", package="first")
    install(folder, "example", package="second")
    assert [one.name for one in registry.assistants()] == [*BUILT_IN, "example"]
    assert refusals() == {"example": "another assistant has this name"}


def test_a_name_that_would_not_be_a_key_is_refused(folder: Path) -> None:
    install(folder, "Example")
    assert refusals()["Example"].startswith("name must match")


def test_search_functions_that_raise_later_find_nothing(folder: Path) -> None:
    source = MODULE.replace("return [place", "assert place.home == '/home/user'; return [place")
    install(
        folder, "example", source.replace("parts: False", "parts: False if parts[0] == chr(0) else 1 / 0")
    )
    added = registry.assistants()[-1]
    assert added.name == "example"
    assert added.roots(PLACE) == []
    assert added.enter(["x"]) is False


@pytest.mark.parametrize(
    "source",
    [
        MODULE.replace("    return Reader(log)", "    raise RuntimeError"),
        MODULE.replace(
            "    def _again", "    def feed(self, data: bytes):\n        raise RuntimeError\n\n    def _again"
        ),
        MODULE.replace(
            "    def _again", "    def settle(self):\n        raise RuntimeError\n\n    def _again"
        ),
    ],
)
def test_a_reader_that_raises_reports_a_problem(folder: Path, source: str) -> None:
    install(folder, "example", source)
    reader = registry.assistants()[-1].reader(LogFile("s"), {}, PLACE)
    _, problems = read(reader, [b'{"id": "1", "said": "hello"}\n'])
    assert problems == [Problem("invalid_record", "the reader failed: RuntimeError")]
    reader.is_final = True
    reader.restart()
    assert reader.info.session_id == "s"


def test_a_setting_may_name_a_plugin_also_one_that_cannot_be_loaded(folder: Path) -> None:
    install(folder, "broken", "1 / 0")
    assert registry.unknown_name("broken") is None
    assert registry.unknown_name("claude") is None
    rule = registry.unknown_name("brocken")
    assert rule is not None
    assert rule.endswith("('brocken' is not one of them: did you mean broken?)")


def test_titles_name_what_is_loaded(folder: Path) -> None:
    install(folder, "example")
    assert registry.titles() == {one.name: one.title for one in registry.ASSISTANTS}
    registry.assistants()
    assert registry.titles()["example"] == "An Example"


def test_the_server_does_not_search_for_plugins_when_it_is_imported() -> None:
    program = "import sys, kato.lsp.server as s; print('importlib.metadata' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_status_carries_the_titles(tmp_path: Path) -> None:
    window = Window(tmp_path)
    try:
        window.append(user("hello", 0))
        (provider,) = window.engine.status(include_stale=True).providers
        assert (provider.provider, provider.title) == ("claude", "Claude Code")
    finally:
        window.close()


def test_each_built_in_assistant_is_documented() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "providers.md").read_text()
    assert [name for name in BUILT_IN if f"| `{name}` |" not in text] == []
