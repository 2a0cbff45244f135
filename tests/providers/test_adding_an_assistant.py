"""The example in docs/adding-an-assistant.md works as it stands: its test passes, and Kato finds and reads its logs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from providers.plugin import install_metadata

pytestmark = pytest.mark.slow

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "adding-an-assistant.md"
FILE = re.compile(r"^`(kato-parley/[^`]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package as the document has it, installed in its own folder."""
    for name, text in FILE.findall(DOCUMENT.read_text()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = tmp_path / "kato-parley"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    install_metadata(folder, project["name"], project["entry-points"]["kato.assistants"])
    return folder


def run(package: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(package), "HOME": str(package.parent)}
    environment["KATO_STATE_DIR"] = str(package.parent / "state")
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=package,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_document_has_all_files_of_the_package(package: Path) -> None:
    files = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    assert [name for name in files if "dist-info" not in name] == [
        "kato_parley.py",
        "pyproject.toml",
        "tests/session-1.jsonl",
        "tests/test_parley.py",
    ]


def test_the_test_of_the_example_passes(package: Path) -> None:
    assert "4 passed" in run(package, "pytest", "-q", "-p", "no:cacheprovider", "tests")


def test_the_example_is_typed_and_formatted(package: Path) -> None:
    run(package, "mypy", "--strict", "--cache-dir", str(package.parent / "mypy"), "kato_parley.py")
    run(package, "ruff", "format", "--check", "--line-length", "110", "--no-cache", ".")


def test_kato_finds_the_logs_of_the_example_and_reads_them(package: Path) -> None:
    chats = package.parent / ".parley" / "chats"
    chats.mkdir(parents=True)
    (chats / "session-1.jsonl").write_bytes((package / "tests" / "session-1.jsonl").read_bytes())
    report = json.loads(run(package, "kato", "doctor", "--json"))
    (root,) = [root for root in report["roots"] if root["provider"] == "parley"]
    assert (root["path"], root["sessions"], root["events"], root["problems"]) == (str(chats), 1, 6, [])
    note = run(package, "kato", "capture", "parley/session-1", "-")
    assert "One test fails: `test_total`." in note
