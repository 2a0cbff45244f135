"""Packages are read for entry points only where one may declare them."""

import sys
from pathlib import Path

import pytest

from kato.assistants.registry import GROUP
from kato.system.packages import may_declare


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({}, False),
        ({"other-1.0.dist-info/entry_points.txt": "[console_scripts]\nother = other:main\n"}, False),
        ({"other-1.0.dist-info/METADATA": "Name: kato.assistants\n"}, False),
        ({"other-1.0.dist-info/entry_points.txt": "[kato.assistants]\nother = other:OTHER\n"}, True),
        ({"other.egg-info/entry_points.txt": "[kato.assistants]\nother = other:OTHER\n"}, True),
        ({"single.egg-info": "Name: single\n"}, False),
    ],
)
def test_packages_are_read_only_where_one_may_declare_an_assistant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: dict[str, str], expected: bool
) -> None:
    for name, text in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing")])
    assert may_declare(GROUP) is expected


def test_packages_in_an_archive_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "archive.zip").write_bytes(b"PK")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "archive.zip")])
    assert may_declare(GROUP)
