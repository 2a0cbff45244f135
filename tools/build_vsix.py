"""Builds the VS Code extension: a VSIX for each platform, which installs its server without a network, and a universal one.

`python tools/build_vsix.py` builds the VSIX for this machine, `--all` every VSIX, `--target NAME` one of them; `--name` prints
the path of the VSIX for this machine and `--list` the matrix. A platform's VSIX contains a wheel of every package of
requirements/runtime.txt that is not optional, for every Python of the matrix; a wheel that fits several Pythons is stored once. The universal VSIX
contains the lock alone: its packages come from an index, and their hashes are checked.

The wheels are kept in build/wheels and downloaded again only if one is missing or differs from the lock, so that a second
build needs no network. The same sources, lock and Node.js packages give the same bytes.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from packaging import tags
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT: Final = Path(__file__).resolve().parents[1]
CLIENT: Final = ROOT / "client-vscode"
LOCK: Final = ROOT / "requirements" / "runtime.txt"
CACHE: Final = ROOT / "build" / "wheels"

#: The versions of CPython that are locked, tested, and contained in a platform's VSIX.
PYTHONS: Final = ("3.10", "3.11", "3.12", "3.13", "3.14")
VSIX_BYTES_MAX: Final = 12_000_000
#: The extension runs pip from its wheel and does not install it.
INSTALLER: Final = "pip"
#: Left out of a platform's VSIX: only compressed logs of Codex need it, and Kato names the remedy where one is found.
OPTIONAL: Final = frozenset({"backports-zstd"})
#: The time of every file in wheels and VSIXes, 2020-01-01: a time of the build would change their bytes.
EPOCH: Final = "1577836800"


class Fault(Exception):
    """A build that cannot be made, with a reason for the person who builds."""


class Target(NamedTuple):
    """A platform of VS Code, as its markers and the tags of its wheels name it; the tags that are preferred come first."""

    name: str
    sys_platform: str
    machine: str
    platforms: tuple[str, ...]

    @property
    def has_wheels(self) -> bool:
        """Whether its VSIX contains the packages."""
        return self.name != UNIVERSAL


class Pin(NamedTuple):
    """A package of the lock."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's normalized name."""
        return canonicalize_name(self.requirement.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether this environment needs it."""
        return self.requirement.marker is None or self.requirement.marker.evaluate(dict(environment))

    def line(self, *, marker: bool = True) -> str:
        """The pin as a line of a requirements file."""
        condition = f" ; {self.requirement.marker}" if marker and self.requirement.marker else ""
        hashes = "".join(f" --hash={one}" for one in self.hashes)
        return f"{self.requirement.name}{self.requirement.specifier}{condition}{hashes}\n"


# --- The matrix -----------------------------------------------------------------------------------------


def _glibc(machine: str, oldest: int) -> tuple[str, ...]:
    """Linux with glibc 2.28, which VS Code needs as well. pip knows the wheels of older ones by their older names, too."""
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(28, oldest - 1, -1)]
    old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    return (*names, *(f"{name}_{machine}" for minor, name in old.items() if minor >= oldest))


UNIVERSAL: Final = "universal"
TARGETS: Final = {
    target.name: target
    for target in (
        Target("linux-x64", "linux", "x86_64", _glibc("x86_64", 5)),
        Target("linux-arm64", "linux", "aarch64", _glibc("aarch64", 17)),
        Target("darwin-x64", "darwin", "x86_64", tuple(tags.mac_platforms((10, 15), "x86_64"))),
        Target("darwin-arm64", "darwin", "arm64", tuple(tags.mac_platforms((11, 0), "arm64"))),
        Target("win32-x64", "win32", "AMD64", ("win_amd64",)),
        Target(UNIVERSAL, "", "", ("any",)),
    )
}


def target_of(sys_platform: str, machine: str, libc: str) -> Target:
    """The target of a machine; the universal one where no platform's wheels fit, as on Alpine (musl)."""
    if sys_platform == "linux" and libc != "glibc":
        return TARGETS[UNIVERSAL]
    same = (one for one in TARGETS.values() if (one.sys_platform, one.machine) == (sys_platform, machine))
    return next(same, TARGETS[UNIVERSAL])


def environment_of(target: Target, python: str) -> dict[str, str]:
    """What markers see on this platform. pip would evaluate them for the machine that builds."""
    systems = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "nt" if target.sys_platform == "win32" else "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": systems.get(target.sys_platform, ""),
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": target.sys_platform,
    }


# --- The lock -------------------------------------------------------------------------------------------


def parse_lock(text: str) -> tuple[Pin, ...]:
    """The pins of a requirements file. Each has one exact version and a hash."""
    pins = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        spec, *hashes = re.split(r"\s--hash=", line.partition("#")[0].strip())
        if not spec:
            continue
        try:
            requirement = Requirement(spec)
        except InvalidRequirement as error:
            raise Fault(f"{LOCK.name}: invalid requirement {spec!r}: {error}") from error
        if not re.fullmatch(r"==[^*,]+", str(requirement.specifier)) or not hashes:
            raise Fault(f"{LOCK.name}: {requirement.name} must have one exact version and a hash")
        pins.append(Pin(requirement, tuple(one.strip() for one in hashes)))
    return tuple(pins)


def packages(lock: Iterable[Pin], target: Target, python: str) -> list[Pin]:
    """The packages whose wheels a VSIX contains for this Python."""
    environment = environment_of(target, python)
    return [
        pin
        for pin in lock
        if pin.name == INSTALLER
        or (target.has_wheels and pin.name not in OPTIONAL and pin.applies(environment))
    ]


def requirements(lock: Iterable[Pin], server: Path, *, without: Iterable[str]) -> str:
    """The requirements file of an installation: the lock's pins, and the server's wheel with its hash."""
    name, version, _, _ = parse_wheel_filename(server.name)
    pins = "".join(pin.line() for pin in lock if pin.name not in {INSTALLER, *without})
    return f"{pins}{name}=={version} --hash={hash_of(server)}\n"


# --- Wheels ---------------------------------------------------------------------------------------------


def hash_of(file: Path) -> str:
    """A file's hash as a lock has it."""
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def best_wheel(pin: Pin, target: Target, python: str, files: Iterable[Path]) -> Path | None:
    """The wheel that pip prefers for this package, platform and Python, if its hash is in the lock."""
    major, minor = (int(part) for part in python.split("."))
    supported = [
        *tags.cpython_tags((major, minor), platforms=target.platforms),
        *tags.compatible_tags((major, minor), f"cp{major}{minor}", target.platforms),
    ]
    ranks = {tag: rank for rank, tag in enumerate(supported)}
    fitting = []
    for file in files:
        name, version, _, its_tags = parse_wheel_filename(file.name)
        rank = min((ranks[tag] for tag in its_tags if tag in ranks), default=None)
        if rank is not None and name == pin.name and version in pin.requirement.specifier:
            fitting.append((rank, file))
    best = min(fitting, default=None)
    return best[1] if best and hash_of(best[1]) in pin.hashes else None


def collect(lock: Sequence[Pin], target: Target, folder: Path) -> list[Path]:
    """The wheels of a target, from its folder. Downloads those that are missing or differ from the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_foreign(lock, folder)
    found: set[Path] = set()
    for python in PYTHONS if target.has_wheels else PYTHONS[:1]:
        wanted = packages(lock, target, python)
        if not all(best_wheel(pin, target, python, folder.glob("*.whl")) for pin in wanted):
            download(wanted, target, python, folder)
        for pin in wanted:
            wheel = best_wheel(pin, target, python, folder.glob("*.whl"))
            if wheel is None:
                raise Fault(
                    f"{pin.name}: no wheel for {target.name} and CPython {python} has a hash of {LOCK.name}."
                )
            found.add(wheel)
    return sorted(found)


def _remove_foreign(lock: Sequence[Pin], folder: Path) -> None:
    """Removes the wheels of an earlier lock, and damaged ones."""
    known = {one for pin in lock for one in pin.hashes}
    for file in folder.iterdir():
        if hash_of(file) not in known:
            file.unlink()


def download(pins: Iterable[Pin], target: Target, python: str, folder: Path) -> None:
    """Downloads these packages' wheels for a platform. pip checks their hashes."""
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "requirements.txt"
        wanted.write_text("".join(pin.line(marker=False) for pin in pins), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
        ]
        command += [
            "--require-hashes",
            "--only-binary=:all:",
            "--dest",
            str(folder),
            "--requirement",
            str(wanted),
        ]
        command += ["--implementation", "cp", "--python-version", python]
        command += [
            word for abi in (f"cp{python.replace('.', '')}", "abi3", "none") for word in ("--abi", abi)
        ]
        command += [word for one in target.platforms for word in ("--platform", one)]
        run(
            command,
            f"pip could not download the packages for {target.name}, CPython {python}",
            "The first build needs a package index; check the network and pip's configuration, then repeat it.",
        )


# --- The build ------------------------------------------------------------------------------------------


def run(command: Sequence[str], what: str, cure: str, cwd: Path = ROOT) -> None:
    """Runs a program, whose output is shown if it fails."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "TZ": "UTC"}
    program = shutil.which(command[0])
    if program is None:
        raise Fault(f"{what}: {command[0]} was not found. {cure}")
    done = subprocess.run(
        [program, *command[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = [
            line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line and "WARNING" not in line
        ]
        raise Fault("\n".join([f"{what} (exit code {done.returncode}):", *lines[-8:], cure]))


def build_server() -> Path:
    """Builds the server's wheel."""
    folder = CACHE / "server"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
    ]
    run(
        [*command, "--wheel-dir", str(folder), "."],
        "The server's wheel could not be built",
        "See CONTRIBUTING.md.",
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def lay_out(folder: Path, lock: Sequence[Pin], target: Target, server: Path, wheels: Iterable[Path]) -> None:
    """Writes the `server` folder of the extension: the wheels, the lock, and what they fit."""
    shutil.rmtree(folder, ignore_errors=True)
    contents = folder / "wheels"
    contents.mkdir(parents=True)
    shutil.copyfile(server, folder / server.name)
    for wheel in wheels:
        is_installer = parse_wheel_filename(wheel.name)[0] == INSTALLER
        shutil.copyfile(wheel, (folder if is_installer else contents) / wheel.name)
    (folder / "requirements.txt").write_text(requirements(lock, server, without=()), encoding="utf-8")
    if target.has_wheels:
        text = requirements(lock, server, without=OPTIONAL)
        (contents / "requirements.txt").write_text(text, encoding="utf-8")
    fits = {"platform": target.name, "pythons": PYTHONS}
    (folder / "bundle.json").write_text(f"{json.dumps(fits)}\n", encoding="utf-8")


def vsix_of(target: Target) -> Path:
    """The path of a target's VSIX."""
    source = (ROOT / "server" / "kato" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(.*)"', source, re.MULTILINE)
    if match is None:
        raise Fault("server/kato/__init__.py has no __version__")
    return CLIENT / "-".join(["kato", *([target.name] if target.has_wheels else []), f"{match[1]}.vsix"])


def readme_links() -> list[str]:
    """The options for the relative links of the README: vsce itself ignores `repository.directory` of package.json."""
    repository = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))["repository"]
    base, folder = repository["url"].removesuffix(".git"), repository["directory"]
    return ["--baseContentUrl", f"{base}/blob/HEAD/{folder}", "--baseImagesUrl", f"{base}/raw/HEAD/{folder}"]


def package(target: Target) -> Path:
    """Packs the extension for a target."""
    vsix = vsix_of(target)
    command = [
        "npx",
        "--no-install",
        "vsce",
        "package",
        "--no-dependencies",
        *readme_links(),
        "--out",
        str(vsix),
    ]
    command += ["--target", target.name] if target.has_wheels else []
    run(command, f"vsce could not pack {vsix.name}", "See its message.", CLIENT)
    check_size(vsix)
    return vsix


def check_size(vsix: Path) -> None:
    """Refuses a VSIX over the bound."""
    size = vsix.stat().st_size
    if size > VSIX_BYTES_MAX:
        raise Fault(
            f"{vsix.name} has {size:,} bytes, more than {VSIX_BYTES_MAX:,}. Look for packages that became larger."
        )


def build(targets: Iterable[Target]) -> None:
    """Builds the VSIXes of these targets, and prints their sizes."""
    lock = parse_lock(LOCK.read_text(encoding="utf-8"))
    server = build_server()
    node = "Building needs Node.js 20 or newer, with npm."
    run(["npm", "run", "--silent", "build"], "The extension could not be built", node, CLIENT)
    for target in targets:
        wheels = collect(lock, target, CACHE / target.name)
        lay_out(CLIENT / "server", lock, target, server, wheels)
        vsix = package(target)
        print(
            f"{vsix.relative_to(ROOT)}  {vsix.stat().st_size / 1e6:5.1f} MB  {len(wheels):2} wheels  {hash_of(vsix)}"
        )


def main(words: Sequence[str] | None = None) -> int:
    """Builds what the command line names; 1 if a build failed."""
    parser = argparse.ArgumentParser(description="Build the VS Code extension (a VSIX for each platform).")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--all", action="store_true", help="every VSIX")
    choice.add_argument("--target", choices=TARGETS, action="append", help="one VSIX (may be repeated)")
    choice.add_argument("--name", action="store_true", help="print the path of the VSIX for this machine")
    choice.add_argument("--list", action="store_true", help="print the matrix")
    options = parser.parse_args(words)
    here = target_of(sys.platform, platform.machine(), platform.libc_ver()[0])
    os.umask(0o022)
    try:
        if options.name:
            print(vsix_of(here))
        elif options.list:
            for target in TARGETS.values():
                print(
                    f"{target.name:12}  {'CPython ' + ', '.join(PYTHONS) if target.has_wheels else 'from an index'}"
                )
        else:
            names = options.target or (TARGETS if options.all else [here.name])
            build(TARGETS[name] for name in names)
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
