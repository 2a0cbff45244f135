"""The rules of `tools/check_prose.py`: which constructions they find, and which they leave alone."""

from pathlib import Path
from types import ModuleType

import pytest

import scripts


@pytest.fixture(scope="module")
def prose() -> ModuleType:
    return scripts.load("check_prose")


@pytest.mark.parametrize(
    "text",
    [
        '"""Of a long log, so much is read."""',
        "#: Of everything else the latest counts.\n",
        "# The log is read.\n# Of the rest, half is kept.\n",
        "#: At the end.\n#: So much is read at a time.\n",
        '"""A name that is no text."""',
        '"""It begins anew."""',
        '"""The client is told."""',
        '"""The server tells\n    what changed."""',
        '"""Nobody waits."""',
        '"""A copy beside the file."""',
        '"""It lets go of the client."""',
        '"""All are evicted at once."""',
        "def test_a_refused_command_is_told() -> None: ...\n",
        "def test_of_two_copies_the_newer_counts() -> None: ...\n",
    ],
)
def test_a_construction_that_made_texts_hard_to_read_is_found(
    prose: ModuleType, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "module.py"
    path.write_text(text)
    assert [one.words for one in prose.findings(path)]


@pytest.mark.parametrize(
    "text",
    [
        '"""Of course, a log has an end."""',
        '"""There is no file at this path."""',
        '"""The file is no longer there."""',
        '"""A tag is told apart from text."""',
        '"""It takes so much that the process ends."""',
        "x = 'what the user is told'\n",
        "# Keeps at most N events; drops the oldest.\n",
    ],
)
def test_plain_english_is_left_alone(prose: ModuleType, tmp_path: Path, text: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(text)
    assert [one.words for one in prose.findings(path)] == []


def test_code_in_a_document_is_not_read(prose: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("`nobody`\n\n```\nnobody\n```\n\nNobody waits.\n")
    assert [one.line for one in prose.findings(path)] == [7]
