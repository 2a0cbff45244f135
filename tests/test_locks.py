"""The locks in `requirements` have what pyproject.toml declares, for users (runtime.txt) as for the tests (dev.txt)."""

import importlib.metadata
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import scripts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT: Final = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return scripts.load("build_vsix")


def declared() -> list[Requirement]:
    """The server's dependencies, also those of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [Requirement(text) for texts in (project["dependencies"], *extras) for text in texts]


def pins(tool: ModuleType, name: str) -> list[Requirement]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return [pin.requirement for pin in tool.parse_lock(text)]


@pytest.fixture(scope="module")
def locked(tool: ModuleType) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for pin in pins(tool, "runtime.txt"):
        found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


@pytest.mark.parametrize("wanted", declared(), ids=lambda wanted: wanted.name)
def test_the_lock_has_every_dependency_in_a_version_that_the_server_takes(
    locked: Mapping[str, list[Requirement]], wanted: Requirement
) -> None:
    found = locked.get(canonicalize_name(wanted.name), [])
    assert found, "run `make lock`"
    for pin in found:
        (exact,) = pin.specifier
        assert wanted.specifier.contains(exact.version, prereleases=True), "run `make lock`"


def test_the_lock_has_what_the_dependencies_need(locked: Mapping[str, list[Requirement]]) -> None:
    waiting, seen = ["kato-lsp"], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            applying = (one for one in needs if one.marker is None or one.marker.evaluate({"extra": ""}))
            waiting += [canonicalize_name(one.name) for one in applying]
    assert seen - {"kato-lsp"} <= set(locked), "run `make lock`"


def test_users_get_the_versions_that_the_tests_run_with(tool: ModuleType) -> None:
    tested = {(pin.name, str(pin.specifier)) for pin in pins(tool, "dev.txt")}
    shipped = {
        (pin.name, str(pin.specifier)) for pin in pins(tool, "runtime.txt") if pin.name != tool.INSTALLER
    }
    assert shipped <= tested


def test_no_lock_names_the_address_of_an_index() -> None:
    for file in (ROOT / "requirements").iterdir():
        assert "://" not in file.read_text(encoding="utf-8"), file
