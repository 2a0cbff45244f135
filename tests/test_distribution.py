"""What is published: the wheel and the source distribution, as `make dist` builds them."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
#: What the source distribution consists of, next to the files that hatchling adds.
PARTS: Final = {"server", "tests", "docs", "README.md", "CHANGELOG.md", "LICENSE"}
ADDED: Final = {"pyproject.toml", "PKG-INFO", ".gitignore"}


class Built(NamedTuple):
    wheel: zipfile.ZipFile
    sdist: tarfile.TarFile

    @property
    def wheel_names(self) -> set[str]:
        return {name for name in self.wheel.namelist() if not name.endswith("/")}

    @property
    def sdist_names(self) -> set[str]:
        """Without the folder that all are in."""
        return {one.name.partition("/")[2] for one in self.sdist.getmembers() if one.isfile()}

    @property
    def metadata(self) -> Message:
        (name,) = (name for name in self.wheel_names if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(self.wheel.read(name))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Built in a checkout that has other files, too: those of the extension, one of which is called as a part of the project."""
    tmp_path = tmp_path_factory.mktemp("dist")
    checkout = tmp_path / "kato"
    checkout.mkdir()
    for name in (*PARTS, "pyproject.toml", ".gitignore"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout / name)
    for stray in (
        "client-vscode/server/kato.whl",
        "client-vscode/docs/a.md",
        "notes/secret.md",
        "server/notes.txt",
    ):
        path = checkout / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stray")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path / "out")]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    (sdist,) = (tmp_path / "out").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as one, tarfile.open(sdist) as other:
        yield Built(one, other)


def modules() -> set[str]:
    """Every file of the package, from the folder that contains it."""
    server = ROOT / "server"
    found = (
        path for path in (server / "kato").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(server).as_posix() for path in found}


def test_the_source_distribution_holds_the_listed_parts_and_nothing_else(built: Built) -> None:
    names = built.sdist_names
    assert {PurePosixPath(name).parts[0] for name in names} == PARTS | ADDED
    assert {name for name in names if name.startswith("server/")} == {f"server/{name}" for name in modules()}
    assert [name for name in names if "stray" in name or "notes" in PurePosixPath(name).parts[:2]] == []
    assert "docs/kato.1" in names


def test_the_wheel_holds_the_package_its_metadata_and_the_man_page(built: Built) -> None:
    packaged = {name for name in built.wheel_names if name.startswith("kato/")}
    assert packaged == modules()
    others = {re.sub(r"^kato_lsp-[^/]*\.", ".", name) for name in built.wheel_names - packaged}
    assert others == {
        ".data/data/share/man/man1/kato.1",
        ".dist-info/METADATA",
        ".dist-info/RECORD",
        ".dist-info/WHEEL",
        ".dist-info/entry_points.txt",
        ".dist-info/licenses/LICENSE",
    }


def test_the_metadata_names_who_made_it_where_it_is_and_on_which_pythons_it_runs(built: Built) -> None:
    about = built.metadata
    assert (about["Name"], about["Author"], about["License-Expression"]) == (
        "kato-lsp",
        "The Kato authors",
        "MIT",
    )
    urls = dict(one.split(", ", 1) for one in about.get_all("Project-URL", []))
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    pythons = {one.rpartition(" ")[2] for one in about.get_all("Classifier", []) if "Python :: 3." in one}
    workflow = (ROOT / ".github" / "workflows").glob("*.yml")
    matrix = set(re.findall(r'"(3\.\d+)"', "".join(path.read_text(encoding="utf-8") for path in workflow)))
    assert pythons == matrix


def test_zstandard_is_an_extra_where_python_lacks_it(built: Built) -> None:
    zstandard = [one for one in built.metadata.get_all("Requires-Dist", []) if "zstd" in one.lower()]
    assert zstandard == ["backports-zstd>=1; (python_version < '3.14') and extra == 'zstd'"]


def test_links_of_the_readme_lead_to_the_repository(built: Built) -> None:
    text = str(built.metadata.get_payload())
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith("https://")] == []
    images = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert images
    assert all(image.startswith("https://raw.githubusercontent.com/") for image in images)
