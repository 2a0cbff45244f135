"""What is said and typed in a soak: unique lines in every script, and commands between them."""

import random
from dataclasses import dataclass
from typing import Final

_WORDS: Final = (
    "index query B-tree Größe naïve señal łódź данные ключ ουσία 数据库 インデックス 색인 מפתח فهرس ตาราง हिन्दी 🙂 👩‍💻 "
    "e\u0301tude \u200bzero-width `code` **bold** & [link](x) | pipe \\ back $math$ 50% C:\\temp x::y ::notacommand!"
).split()
#: A share of messages is large: a pasted log, a generated file.
_LARGE_SHARE: Final = 0.005
_LARGE_CHARS: Final = (20_000, 200_000)
_LINES_MAX: Final = 6


@dataclass
class Texts:
    """Lines that occur once: each begins with the conversation's name and a number."""

    chance: random.Random
    name: str
    number: int = 0

    def line(self) -> str:
        """One line that Markdown and Kato leave as it is."""
        self.number += 1
        words = " ".join(self.chance.choices(_WORDS, k=self.chance.randint(1, 12)))
        return f"{self.name}.{self.number} {words} ."

    def lines(self, count: int) -> str:
        """Lines, sometimes with a blank one between them."""
        gap = "\n\n" if self.chance.random() < 0.1 else "\n"
        return gap.join(self.line() for _ in range(count))

    def said(self) -> str:
        """What a speaker says: some lines, rarely a very long one or very many."""
        if self.chance.random() < _LARGE_SHARE:
            size = self.chance.randint(*_LARGE_CHARS)
            if self.chance.random() < 0.5:
                return f"{self.line()} {'large ' * (size // 6)}end"
            return self.lines(size // 200)
        return self.lines(self.chance.randint(1, _LINES_MAX))


@dataclass
class Commands:
    """Command lines of one conversation. The first one gives it a note, so that `::record` has a destination."""

    chance: random.Random
    name: str
    notes: int = 0
    exports: int = 0

    def lines(self) -> list[str]:
        """One command, or several for one message."""
        if not self.notes:
            return [self._capture()]
        kind = self.chance.random()
        if kind < 0.25:
            return ["::stop", "::record"]
        if kind < 0.35:
            return [self._capture(), "::stop"]
        if kind < 0.4:
            return [self._export(), "::stop", "::record", self._export()]
        return [self._one(kind)]

    def _one(self, kind: float) -> str:
        if kind < 0.5:
            return self.chance.choice(["::record", "  ::Record"])
        if kind < 0.6:
            return "::stop"
        if kind < 0.65:
            return self._capture()
        if kind < 0.75:
            return f"::capture {self.name}-{self.notes}.md"  # the same note again
        if kind < 0.8:
            self.notes += 1
            return f"::init {self.name}-{self.notes}.md"
        if kind < 0.9:
            return self._export()
        return self.chance.choice(["::recrod", "::capture /etc/passwd.md", "::stop now", "::export"])

    def _capture(self) -> str:
        self.notes += 1
        return f"::capture {self.name}-{self.notes}.md"

    def _export(self) -> str:
        self.exports += 1
        return f"::export {self.name}-x{self.exports}.{self.chance.choice(['md', 'md', 'jsonl'])}"


def message(texts: Texts, commands: list[str]) -> str:
    """A message with these command lines among others."""
    parts = [texts.lines(1)] if texts.chance.random() < 0.7 else []
    for command in commands:
        parts.append(command)
        if texts.chance.random() < 0.7:
            parts.append(texts.lines(1))
    return "\n".join(parts)
