"""Prints the share of lines and branches that the tests run in their own process, a line a package, and fails when a module
of the core (`kato.core`, `kato.assistants`) is below the bound.

`python tools/check_coverage.py`, after `pytest --cov` has written `.coverage`. What only a server in a process of its own
runs (`kato.lsp`, `kato.app`, `kato.cli`) is tested there and not counted here.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any, Final

PERCENT_MIN: Final = 95.0
CORE: Final = frozenset({"core", "assistants"})


def report() -> dict[str, Any]:
    """Coverage's own report of each file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(file)]
        subprocess.run(command, check=True)
        files: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["files"]
    return files


def percent(summaries: list[dict[str, int]]) -> float:
    """The share of lines and branches that ran."""
    done = sum(one["covered_lines"] + one.get("covered_branches", 0) for one in summaries)
    every = sum(one["num_statements"] + one.get("num_branches", 0) for one in summaries)
    return 100 * done / every if every else 100.0


def main() -> int:
    """Prints the figures; 1 if a module of the core is below the bound."""
    packages: dict[str, list[dict[str, int]]] = defaultdict(list)
    below = []
    for name, file in report().items():
        parts = PurePosixPath(name.replace("\\", "/")).parts
        package = parts[parts.index("kato") + 1] if "kato" in parts else ""
        packages[package].append(file["summary"])
        if package in CORE and percent([file["summary"]]) < PERCENT_MIN:
            below.append(
                f"{name}: {percent([file['summary']]):.1f} %, at least {PERCENT_MIN:.0f} % is required"
            )
    for package, summaries in sorted(packages.items()):
        if not package.endswith(".py"):
            print(f"coverage {package:<12} {percent(summaries):5.1f} %")
    print(f"coverage {'kato':<12} {percent([one for many in packages.values() for one in many]):5.1f} %")
    for line in below:
        print(line)
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
