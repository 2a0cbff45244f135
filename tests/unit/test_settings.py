"""Settings: precedence, rules, and that nothing invalid passes."""

import sys
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from kato.assistants.registry import unknown_name
from kato.core.errors import SettingsInvalid
from kato.core.layers import resolve
from kato.core.setting_rules import is_absolute
from kato.core.settings import RESTART_KEYS, TABLE, Settings, difference


def explicit(**given: Any) -> Settings:
    return resolve(explicit=given, environment={}, file=None, unknown_provider=unknown_name)


def test_without_any_layer_the_defaults_are_in_force() -> None:
    chosen = resolve(explicit=None, environment={}, file=None)
    assert chosen.daemon_max_memory_mb == 200
    assert chosen.max_sessions == 200
    assert chosen.max_events_per_session == 10_000
    assert chosen.max_message_mb == 32
    assert chosen.heartbeat_seconds == 5
    assert chosen.journal is True
    assert chosen.markdown_include_frontmatter is True
    assert chosen.markdown_include_thinking is False
    assert chosen.log_level == "info"


def test_precedence_is_key_by_key() -> None:
    chosen = resolve(
        explicit={"maxSessions": 1},
        environment={"KATO_DAEMON_MAX_MEMORY_MB": "2", "KATO_STATE_DIR": "/s"},
        file={"maxSessions": 3, "daemonMaxMemoryMb": 3, "maxMessageMb": 3, "stateDir": "/f"},
    )
    assert (chosen.max_sessions, chosen.daemon_max_memory_mb, chosen.max_message_mb) == (1, 2, 3)
    assert chosen.state_dir == "/s"


def test_markdown_keys_may_be_nested_or_dotted_but_not_both() -> None:
    assert explicit(markdown={"includeThinking": True}).markdown_include_thinking
    assert explicit(**{"markdown.includeThinking": True}).markdown_include_thinking
    with pytest.raises(SettingsInvalid, match="once"):
        explicit(**{"markdown": {"includeThinking": True}, "markdown.includeThinking": True})


@pytest.mark.parametrize("value", [0, -1, True, False, 1.0, 1.5, "200", None, [], {}, 10**12])
@pytest.mark.parametrize("key", ["daemonMaxMemoryMb", "maxSessions", "maxEventsPerSession", "maxMessageMb"])
def test_only_positive_integers_are_integers(key: str, value: Any) -> None:
    with pytest.raises(SettingsInvalid) as failure:
        explicit(**{key: value})
    assert failure.value.data == {"key": key, "rule": failure.value.rule, "got": value}
    assert "a positive integer, at most" in failure.value.rule


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("heartbeatSeconds", 0),
        ("heartbeatSeconds", float("nan")),
        ("heartbeatSeconds", True),
        ("heartbeatSeconds", "5"),
        ("journal", 1),
        ("journal", "true"),
        ("stateDir", "relative"),
        ("stateDir", ""),
        ("stateDir", "~root/x"),
        ("stateDir", "/a\0"),
        ("allowedWriteRoots", "/a"),
        ("allowedWriteRoots", ["/a", "b"]),
        ("exclusiveWriteRoots", "true"),
        ("notes", "/a"),
        ("notes.directory", ""),
        ("notes.directory", "notes"),
        ("notes.directory", "${workspaceFolder}notes"),
        ("notes.directory", "x${workspaceFolder}"),
        ("notes.directory", "/a\0"),
        ("providerSessionRoots", ["/a"]),
        ("providerSessionRoots", {"claude": "/a"}),
        ("providerSessionRoots", {"cloude": ["/a"]}),
        ("markdown", True),
        ("markdown.timezone", "Mars/Olympus"),
        ("markdown.timezone", "../../etc/passwd"),
        ("logLevel", "INFO"),
        ("logLevel", None),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_in_every_layer(key: str, value: Any) -> None:
    with pytest.raises(SettingsInvalid) as failure:
        explicit(**{key: value})
    assert failure.value.key == key
    with pytest.raises(SettingsInvalid, match=r"config\.toml"):
        resolve(explicit={}, environment={}, file={key: value}, unknown_provider=unknown_name)


@pytest.mark.parametrize(
    ("path", "posix", "windows"),
    [
        ("/state", True, False),
        ("~", True, True),
        ("~/state", True, True),
        ("~\\state", False, True),
        ("~user/state", False, False),
        ("C:/state", False, True),
        ("C:\\state", False, True),
        ("C:state", False, False),
        ("\\\\host\\share\\state", False, True),
        ("state", False, False),
        ("./state", False, False),
        ("", False, False),
        ("/a\0", False, False),
        ("C:/a\0", False, False),
        ("/\udcff", False, False),
    ],
)
def test_a_path_is_absolute_by_the_rules_of_its_own_system(path: str, *, posix: bool, windows: bool) -> None:
    assert is_absolute(path, windows=False) is posix
    assert is_absolute(path, windows=True) is windows


@pytest.mark.skipif(sys.platform == "win32", reason="there it is the other way round")
def test_a_path_of_another_system_is_refused_where_it_would_lie_below_the_current_folder() -> None:
    for wrong in ({"stateDir": "C:/state"}, {"providerSessionRoots": {"claude": ["C:/logs"]}}):
        with pytest.raises(SettingsInvalid, match="absolute path"):
            explicit(**wrong)


@pytest.mark.parametrize("value", [0.05, 1, 86_400])
def test_a_heartbeat_within_its_bounds_is_accepted(value: float) -> None:
    assert explicit(heartbeatSeconds=value).heartbeat_seconds == value


@pytest.mark.parametrize("value", [1e-9, 0.049, 86_401, 1e308, -1])
def test_a_heartbeat_outside_its_bounds_is_refused_with_the_bounds(value: float) -> None:
    with pytest.raises(SettingsInvalid, match=r"from 0\.05 to 86,400"):
        explicit(heartbeatSeconds=value)


def test_a_limit_that_is_too_large_is_refused_with_the_maximum() -> None:
    assert explicit(daemonMaxMemoryMb=1_000_000_000).daemon_max_memory_mb == 1_000_000_000
    for layer in (
        {"explicit": {"daemonMaxMemoryMb": 1_000_000_001}, "environment": {}},
        {"explicit": None, "environment": {"KATO_DAEMON_MAX_MEMORY_MB": "1000000001"}},
        {"explicit": None, "environment": {"KATO_DAEMON_MAX_MEMORY_MB": "9" * 40}},
    ):
        with pytest.raises(SettingsInvalid, match="at most 1,000,000,000"):
            resolve(file=None, **layer)


def test_an_invalid_value_is_refused_also_where_a_stronger_layer_overrides_it() -> None:
    with pytest.raises(SettingsInvalid, match="environment KATO_DAEMON_MAX_MEMORY_MB"):
        resolve(explicit={"daemonMaxMemoryMb": 5}, environment={"KATO_DAEMON_MAX_MEMORY_MB": "0"}, file=None)
    with pytest.raises(SettingsInvalid):
        resolve(explicit={"maxSessions": 5}, environment={}, file={"maxSessions": 0})


@pytest.mark.parametrize(
    "text", ["", " 200", "200 ", "+200", "0200", "0", "-1", "2e2", "²", "٢", "0x10", "1_000"]
)
def test_an_environment_value_is_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(SettingsInvalid):
        resolve(explicit=None, environment={"KATO_DAEMON_MAX_MEMORY_MB": text}, file=None)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("daemonMaxMemoryMB", "daemonMaxMemoryMb"), ("maxSession", "maxSessions"), ("loglevel", "logLevel")],
)
def test_an_unknown_key_is_refused_and_the_nearest_named(wrong: str, right: str) -> None:
    with pytest.raises(SettingsInvalid, match=right):
        explicit(**{wrong: 1})


@pytest.mark.parametrize(
    "directory",
    [
        "${workspaceFolder}",
        "${workspaceFolder}/notes",
        "${workspaceFolder}\\notes",
        "~/vault",
        "/vault",
    ],
)
def test_a_notes_directory_is_absolute_or_begins_in_the_workspace_folder(directory: str) -> None:
    assert explicit(notes={"directory": directory}).notes_directory == directory


def test_lists_of_paths_are_kept_and_an_empty_one_is_not_absent() -> None:
    chosen = explicit(
        allowedWriteRoots=["/a", "~", "~/n", "C:\\x", "\\\\host\\share"],
        providerSessionRoots={"claude": [], "codex": ["/x"]},
    )
    assert chosen.allowed_write_roots == ("/a", "~", "~/n", "C:\\x", "\\\\host\\share")
    assert chosen.provider_session_roots == {"claude": (), "codex": ("/x",)}
    assert explicit().allowed_write_roots == ()


def test_the_difference_of_two_settings_names_what_changed() -> None:
    changed = difference(explicit(), explicit(stateDir="/x", maxSessions=3))
    assert changed == {"stateDir", "maxSessions"}
    assert changed & RESTART_KEYS == {"stateDir"}


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.lists(st.text(max_size=3))
)


@given(st.sampled_from(TABLE), JUNK)
def test_every_accepted_value_has_the_type_of_its_setting(key: Any, value: Any) -> None:
    try:
        chosen = explicit(**{key.name: value})
    except SettingsInvalid:
        return
    kept, default = getattr(chosen, key.field), getattr(Settings(), key.field)
    if default is not None and key.field != "provider_session_roots":
        assert type(kept) is type(default)
