"""The result of a measurement: a ratio, what it was measured against, and the goal."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Figures = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table. `figures` holds what the ratio was made of, with units in the names."""

    what: str
    against: str
    value: float
    goal: float
    sense: Literal["at least", "at most"]
    unit: str = "×"
    figures: Figures = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the goal holds."""
        return self.value >= self.goal if self.sense == "at least" else self.value <= self.goal

    def as_json(self) -> Figures:
        """For the file."""
        return asdict(self) | {"met": self.met}


@dataclass(frozen=True)
class Measure:
    """A named measurement that gives rows."""

    name: str
    about: str
    run: Callable[[bool], list[Row]]


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
