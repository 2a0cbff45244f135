"""The documents that promise something name the tests that hold the promises, and each of these tests exists."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).resolve().parent
ROOT: Final = TESTS.parent
NAMED: Final = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def text_of(document: str) -> str:
    return (ROOT / "docs" / document).read_text(encoding="utf-8")


def rows(document: str, head: str) -> list[str]:
    """The rows of all tables of a document whose first row is `head`."""
    found: list[str] = []
    is_inside = False
    for line in text_of(document).split("\n"):
        is_inside = line.startswith("|") and (is_inside or line == head)
        if is_inside and line != head and not line.startswith("|--"):
            found.append(line)
    return found


@pytest.mark.parametrize(
    ("document", "head", "at_least"),
    [
        ("reliability.md", "| guarantee | test |", 20),
        ("architecture.md", "| invariant | test |", 20),
    ],
)
def test_each_promise_names_a_test(document: str, head: str, at_least: int) -> None:
    found = rows(document, head)
    assert len(found) > at_least
    assert [row for row in found if not NAMED.search(row)] == []


@pytest.mark.parametrize("document", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_each_named_test_exists(document: str) -> None:
    missing = []
    for path, name in NAMED.findall(text_of(document)):
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        functions = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if name not in functions:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_the_map_of_the_architecture_names_every_package_and_every_module() -> None:
    """A module that the map lacks is one that a reader of the project does not find."""
    package = ROOT / "server" / "kato"
    text = text_of("architecture.md")
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    assert {name for name in packages if f"| `{name}` |" not in text} == set()
    named = set(re.findall(r"`(\w+)`", text))
    mapped = ("core", "engine", "logs", "notes", "app", "lsp", "storage")
    modules = {
        path.stem for name in mapped for path in (package / name).rglob("*.py") if path.stem != "__init__"
    }
    assert sorted(modules - named) == []


def test_the_glossary_has_each_term_once_and_in_order() -> None:
    terms = [row.split("|")[1].strip() for row in rows("glossary.md", "| term | meaning |")]
    assert terms == sorted(set(terms), key=str.lower)
