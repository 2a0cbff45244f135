"""One file an assistant: log records in, events and problems out.

Rule: a reader is pure. It is fed bytes and tells what they mean; which files there are, when they are read and
what becomes of the events is not its business. Each file alone knows its assistant's format.
"""

from typing import Final

from kato.assistants.claude import CLAUDE
from kato.assistants.codex import CODEX
from kato.assistants.contract import Assistant
from kato.assistants.copilot import COPILOT
from kato.assistants.gemini import GEMINI

ASSISTANTS: Final[tuple[Assistant, ...]] = (CLAUDE, CODEX, GEMINI, COPILOT)
