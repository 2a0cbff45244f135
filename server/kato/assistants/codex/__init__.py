"""Codex (CLI, VS Code, Desktop): `sessions/YYYY/MM/DD/rollout-<time>-<thread>[_<part>].jsonl`.

- `files`: which files are logs. `reader`: the kinds of record, in tables. `document`: the logs of 2025 in one JSON object.
- The reader's parts, each on top of the one before: `session`, `inputs` (the user), `answers` (the assistant), `calls`,
  `tools`, `notes` (the host).
- What the parts share: `twins` (records that repeat each other, ids), `copies` (where copied history ends), `words` (what
  proves that a text was typed; `sections`, `history`, `envelopes`), `marks` (in answers), `outputs` (of tools),
  `titles` (in other files).
"""

from kato.assistants.codex.document import CodexDocument
from kato.assistants.codex.files import CODEX
from kato.assistants.codex.reader import CodexReader

__all__ = ["CODEX", "CodexDocument", "CodexReader"]
