"""`tools/build_vsix.py`: the matrix, the lock, and which wheels a VSIX contains. pip downloads and installs for real, from small
wheels that these tests write; `make vsix` and the tests in a real editor use those of the lock.
"""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from packaging.requirements import Requirement

import scripts

ROOT: Final = Path(__file__).resolve().parents[1]
HASH: Final = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return scripts.load("build_vsix")


# --- The matrix -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sys_platform", "machine", "libc", "name"),
    [
        ("linux", "x86_64", "glibc", "linux-x64"),
        ("linux", "aarch64", "glibc", "linux-arm64"),
        ("linux", "x86_64", "", "universal"),
        ("linux", "armv7l", "glibc", "universal"),
        ("darwin", "x86_64", "", "darwin-x64"),
        ("darwin", "arm64", "", "darwin-arm64"),
        ("win32", "AMD64", "", "win32-x64"),
        ("win32", "ARM64", "", "universal"),
        ("freebsd14", "amd64", "", "universal"),
    ],
)
def test_a_machine_has_the_vsix_of_its_platform_or_the_universal_one(
    tool: ModuleType, sys_platform: str, machine: str, libc: str, name: str
) -> None:
    assert tool.target_of(sys_platform, machine, libc).name == name


def test_the_matrix_the_workflows_and_the_extension_name_the_same_versions_of_python(
    tool: ModuleType,
) -> None:
    versions = ", ".join(f'"{python}"' for python in tool.PYTHONS)
    for workflow in ("ci.yml", "release.yml"):
        assert f"python: [{versions}]" in (ROOT / ".github" / "workflows" / workflow).read_text(
            encoding="utf-8"
        )
    backwards = ", ".join(f'"{python}"' for python in reversed(tool.PYTHONS))
    assert f"[{backwards}]" in (ROOT / "client-vscode" / "src" / "resolve.ts").read_text(encoding="utf-8")
    assert f'requires-python = ">={tool.PYTHONS[0]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# --- The lock -------------------------------------------------------------------------------------------


def test_a_lock_is_read_with_its_markers_and_hashes(tool: ModuleType) -> None:
    text = f"# made by uv\nalpha==1.0 \\\n    --hash={HASH} \\\n    --hash=sha256:1\n    # via kato\nbeta==2 ; sys_platform == 'win32' --hash={HASH}\n"
    alpha, beta = tool.parse_lock(text)
    assert (alpha.name, alpha.hashes, alpha.requirement.marker) == ("alpha", (HASH, "sha256:1"), None)
    assert beta.line() == f'beta==2 ; sys_platform == "win32" --hash={HASH}\n'
    assert beta.line(marker=False) == f"beta==2 --hash={HASH}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("alpha>=1 --hash=sha256:1", "alpha must have one exact version"),
        ("alpha==1.* --hash=sha256:1", "alpha must have one exact version"),
        ("alpha==1", "alpha must have one exact version and a hash"),
        ("--index-url https://example.org", "invalid requirement"),
    ],
)
def test_a_lock_without_exact_versions_or_hashes_is_refused(tool: ModuleType, text: str, reason: str) -> None:
    with pytest.raises(tool.Fault, match=reason):
        tool.parse_lock(text)


# --- Which wheels a VSIX contains -----------------------------------------------------------------------

MARKED: Final = {
    "alpha": "",
    "tomli": "python_full_version < '3.11'",
    "tzdata": "sys_platform == 'win32'",
    "watchfiles": "sys_platform != 'linux'",
    "pip": "",
    "backports-zstd": "",
}


@pytest.mark.parametrize(
    ("target", "python", "names"),
    [
        ("linux-x64", "3.10", "alpha tomli pip"),
        ("linux-arm64", "3.14", "alpha pip"),
        ("darwin-arm64", "3.12", "alpha watchfiles pip"),
        ("win32-x64", "3.13", "alpha tzdata watchfiles pip"),
        ("universal", "3.10", "pip"),
    ],
)
def test_markers_are_those_of_the_platform_that_installs(
    tool: ModuleType, target: str, python: str, names: str
) -> None:
    lock = [
        tool.Pin(Requirement(f"{name}==1{marker and f' ; {marker}'}"), (HASH,))
        for name, marker in MARKED.items()
    ]
    assert " ".join(pin.name for pin in tool.packages(lock, tool.TARGETS[target], python)) == names


@pytest.mark.parametrize(
    ("target", "python", "offered", "best"),
    [
        ("linux-x64", "3.11", "cp311-cp311-manylinux_2_17_x86_64 cp312-cp312-manylinux_2_17_x86_64", 0),
        ("linux-x64", "3.11", "cp311-cp311-musllinux_1_2_x86_64 cp311-cp311-manylinux2014_x86_64", 1),
        ("linux-x64", "3.14", "py3-none-any cp310-abi3-manylinux_2_28_x86_64", 1),
        ("linux-x64", "3.10", "cp311-abi3-manylinux_2_28_x86_64", None),
        ("linux-x64", "3.12", "cp312-cp312-manylinux_2_34_x86_64", None),
        ("linux-arm64", "3.12", "cp312-cp312-manylinux_2_17_x86_64 cp312-cp312-manylinux_2_17_aarch64", 1),
        ("darwin-arm64", "3.12", "cp312-cp312-macosx_10_9_x86_64 cp312-cp312-macosx_10_9_universal2", 1),
        ("darwin-x64", "3.12", "cp312-cp312-macosx_10_12_x86_64", 0),
        ("win32-x64", "3.13", "cp313-cp313-win32 cp313-cp313-win_amd64 cp313-cp313t-win_amd64", 1),
    ],
)
def test_the_wheel_of_a_package_is_the_one_that_pip_prefers_there(
    tool: ModuleType, tmp_path: Path, target: str, python: str, offered: str, best: int | None
) -> None:
    files = [wheel(tmp_path, f"alpha-1.0-{tag}") for tag in offered.split()]
    pin = tool.Pin(Requirement("alpha==1.0"), tuple(map(tool.hash_of, files)))
    found = tool.best_wheel(pin, tool.TARGETS[target], python, files)
    assert found == (None if best is None else files[best])


def wheel(folder: Path, name: str, *, content: str = "") -> Path:
    """A wheel that pip installs."""
    project_name, version, *_ = name.split("-")
    information = f"{project_name}-{version}.dist-info"
    file = folder / f"{name}.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{project_name}.py", f"{name!r}, {content!r}\n")
        archive.writestr(
            f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {project_name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{information}/WHEEL",
            f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {name.split('-', 2)[2]}\n",
        )
        archive.writestr(f"{information}/RECORD", "")
    return file


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: ModuleType) -> Path:
    """A folder of wheels, the only source that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setattr(tool, "PYTHONS", ("3.10", "3.14"))  # pip starts once for each
    for python in tool.PYTHONS:
        wheel(
            folder, f"beta-2.0-cp{python.replace('.', '')}-cp{python.replace('.', '')}-manylinux_2_17_x86_64"
        )
    for name in (
        "alpha-1.0-py3-none-any",
        "gamma-1.0-cp310-abi3-manylinux2014_x86_64",
        "pip-26.3-py3-none-any",
        "backports_zstd-1.0-py3-none-any",
    ):
        wheel(folder, name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def lock_of(tool: ModuleType, index: Path) -> list[object]:
    """The lock of all wheels in the index."""
    hashes: dict[str, list[str]] = {}
    for file in sorted(index.iterdir()):
        hashes.setdefault("==".join(file.name.split("-")[:2]), []).append(tool.hash_of(file))
    return list(
        tool.parse_lock(
            "".join(f"{name}{''.join(f' --hash={one}' for one in all_)}\n" for name, all_ in hashes.items())
        )
    )


def test_wheels_are_downloaded_once_and_wheels_for_several_versions_of_python_are_stored_once(
    tool: ModuleType, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, folder, target = lock_of(tool, index), tmp_path / "cache", tool.TARGETS["linux-x64"]
    wheels = tool.collect(lock, target, folder)
    names = [one.name.split("-")[0] for one in wheels]
    assert names == ["alpha", *["beta"] * 2, "gamma", "pip"], "backports-zstd is optional"
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    assert tool.collect(lock, target, folder) == wheels, "a second build needs no network"


def test_damaged_wheels_and_those_of_an_earlier_lock_are_replaced(
    tool: ModuleType, index: Path, tmp_path: Path
) -> None:
    folder, target = tmp_path / "cache", tool.TARGETS["linux-x64"]
    first = tool.collect(lock_of(tool, index), target, folder)
    first[0].write_bytes(first[0].read_bytes()[:100])
    (index / "gamma-1.0-cp310-abi3-manylinux2014_x86_64.whl").unlink()
    newer = wheel(index, "gamma-1.1-cp310-abi3-manylinux2014_x86_64")
    second = tool.collect(lock_of(tool, index), target, folder)
    assert {one.name for one in second} == {one.name for one in folder.iterdir()}
    assert newer.name in {one.name for one in second}
    assert second[0].read_bytes() == (index / second[0].name).read_bytes()


def test_a_package_that_differs_from_the_lock_is_not_taken(
    tool: ModuleType, index: Path, tmp_path: Path
) -> None:
    lock = lock_of(tool, index)
    wheel(index, "alpha-1.0-py3-none-any", content="changed after it was locked")
    with pytest.raises(
        tool.Fault, match=r"(?s)could not download the packages for linux-x64, CPython 3\.10.*HASHES"
    ):
        tool.collect(lock, tool.TARGETS["linux-x64"], tmp_path / "cache")
    assert [one.name for one in (tmp_path / "cache").glob("alpha*")] == []


def test_a_platform_without_a_wheel_is_named(tool: ModuleType, index: Path, tmp_path: Path) -> None:
    with pytest.raises(
        tool.Fault, match=r"(?s)darwin-arm64, CPython 3\.10.*beta.*check the network and pip's configuration"
    ):
        tool.collect(lock_of(tool, index), tool.TARGETS["darwin-arm64"], tmp_path / "cache")


def test_an_index_that_cannot_be_reached_gives_a_reason_and_a_cure(
    tool: ModuleType, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(tool, index)
    monkeypatch.delenv("PIP_NO_INDEX")
    for name, value in {
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(tool.Fault) as failure:
        tool.collect(lock, tool.TARGETS["universal"], tmp_path / "cache")
    first, *_, last = str(failure.value).splitlines()
    assert first == "pip could not download the packages for universal, CPython 3.10 (exit code 1):"
    assert last.startswith("The first build needs a package index; check the network")


# --- The extension's folder -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linux-x64", "universal"])
def test_the_extension_contains_the_lock_and_the_wheels_of_its_platform(
    tool: ModuleType, index: Path, tmp_path: Path, name: str
) -> None:
    lock, target, folder = lock_of(tool, index), tool.TARGETS[name], tmp_path / "server"
    server = wheel(tmp_path, "kato_lsp-0.1.0-py3-none-any")
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "old-1.0-py3-none-any.whl").touch()
    wheels = tool.collect(lock, target, tmp_path / "cache")
    tool.lay_out(folder, lock, target, server, wheels)
    assert sorted(one.name for one in folder.iterdir()) == [
        "bundle.json", "kato_lsp-0.1.0-py3-none-any.whl", "pip-26.3-py3-none-any.whl", "requirements.txt", "wheels",
    ]  # fmt: skip
    assert json.loads((folder / "bundle.json").read_text()) == {
        "platform": name,
        "pythons": list(tool.PYTHONS),
    }
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line.split("==")[0] for line in lines] == ["alpha", "backports_zstd", "beta", "gamma", "kato-lsp"]
    assert lines[-1].endswith(f"--hash=sha256:{hashlib.sha256(server.read_bytes()).hexdigest()}")
    contents = {one.name for one in (folder / "wheels").iterdir()}
    others = {one.name for one in wheels if not one.name.startswith("pip-")}
    assert contents == ({*others, "requirements.txt"} if target.has_wheels else set())


def test_pip_installs_from_the_extension_without_an_index(
    tool: ModuleType, index: Path, tmp_path: Path
) -> None:
    """With pure wheels in place of the compiled ones: these tests run on every platform."""
    for file in [*index.glob("beta*"), *index.glob("gamma*")]:
        file.unlink()
    folder, lock = tmp_path / "server", lock_of(tool, index)
    wheels = tool.collect(lock, tool.TARGETS["linux-x64"], tmp_path / "cache")
    server = wheel(tmp_path, "kato_lsp-0.1.0-py3-none-any")
    tool.lay_out(folder, lock, tool.TARGETS["linux-x64"], server, wheels)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--require-hashes",
    ]
    command += [
        "--find-links",
        str(folder / "wheels"),
        "--find-links",
        str(folder),
        "--target",
        str(tmp_path / "made"),
    ]
    command += ["--requirement", str(folder / "wheels" / "requirements.txt")]
    subprocess.run(command, check=True, capture_output=True)
    assert sorted(one.name for one in (tmp_path / "made").glob("*.dist-info")) == [
        "alpha-1.0.dist-info",
        "kato_lsp-0.1.0.dist-info",
    ]


def test_a_vsix_over_the_bound_is_refused(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vsix = tmp_path / "kato-linux-x64-0.1.0.vsix"
    vsix.write_bytes(bytes(101))
    monkeypatch.setattr(tool, "VSIX_BYTES_MAX", 101)
    tool.check_size(vsix)
    monkeypatch.setattr(tool, "VSIX_BYTES_MAX", 100)
    with pytest.raises(tool.Fault, match=r"kato-linux-x64-0\.1\.0\.vsix has 101 bytes, more than 100"):
        tool.check_size(vsix)


def test_the_command_line_names_the_vsixes_and_the_fault(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--list"]) == 0
    assert re.findall(r"^\S+", capsys.readouterr().out, re.MULTILINE) == list(tool.TARGETS)
    assert tool.main(["--name"]) == 0
    assert re.search(
        r"client-vscode.kato-([a-z0-9]+-[a-z0-9]+-)?\d+\.\d+\.\d+\.vsix\n$", capsys.readouterr().out
    )
    (tmp_path / "runtime.txt").write_text("alpha\n")
    monkeypatch.setattr(tool, "LOCK", tmp_path / "runtime.txt")
    assert tool.main(["--all"]) == 1
    assert capsys.readouterr().err == "runtime.txt: alpha must have one exact version and a hash\n"


# --- The README -----------------------------------------------------------------------------------------


def test_the_relative_links_of_the_readme_lead_into_the_extensions_folder_of_the_repository(
    tool: ModuleType,
) -> None:
    words = tool.readme_links()
    options = dict(zip(words[::2], words[1::2], strict=True))
    repository = "https://github.com/kato-notes/kato"
    assert options == {
        "--baseContentUrl": f"{repository}/blob/HEAD/client-vscode",
        "--baseImagesUrl": f"{repository}/raw/HEAD/client-vscode",
    }
