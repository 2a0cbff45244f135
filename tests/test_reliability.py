"""docs/reliability.md names a test for each promise, and each of these tests exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
TEXT = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_each_guarantee_names_a_test() -> None:
    rows = [line for line in TEXT.split("\n") if line.startswith("| ") and line != "| guarantee | test |"]
    assert len(rows) > 20
    assert [row for row in rows if not NAMED.search(row)] == []


def test_each_named_test_exists() -> None:
    missing = []
    for path, name in NAMED.findall(TEXT):
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        functions = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if name not in functions:
            missing.append(f"{path}::{name}")
    assert missing == []
