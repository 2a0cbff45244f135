"""`make soak`: SOAK_SECONDS (60), SOAK_SEED (from the clock)."""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from soak.run import Soak


def main() -> int:
    """Runs a soak; 0 if nothing is wrong. What it wrote stays where something is."""
    seconds = float(os.environ.get("SOAK_SECONDS", "60"))
    seed = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))
    root = Path(tempfile.mkdtemp(prefix="kato-soak-"))
    print(f"SOAK_SEED={seed} SOAK_SECONDS={seconds:g}, in {root}", flush=True)
    soak = Soak(root, seed, seconds)
    problems = soak.run()
    print(soak.summary())
    if problems:
        soak.book.dump(root / "book.jsonl")
        print(f"\n{len(problems)} problems, see {root} (what happened: book.jsonl):")
        print("\n".join(problems[:50]))
        return 1
    shutil.rmtree(root)
    print("sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
