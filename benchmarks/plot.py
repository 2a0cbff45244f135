"""The table as a picture: how far each figure is from its goal."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row


def draw(rows: Sequence[Row], path: Path) -> None:
    """A bar a row, 1 is the goal, right of it is better. Raises ImportError without matplotlib."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 - optional

    labels = [f"{row.what} / {row.against}" for row in rows]
    margins = [
        row.value / row.goal if row.sense == "at least" else row.goal / max(row.value, 1e-9) for row in rows
    ]
    figure, axes = plt.subplots(figsize=(10, 0.35 * len(rows) + 1))
    axes.barh(labels, margins, color=["#3a7" if row.met else "#c44" for row in rows])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("margin over the goal (×)")
    axes.invert_yaxis()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
