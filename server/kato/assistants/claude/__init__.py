"""Claude Code: `projects/<slug>/<session>.jsonl`, one line a content block; sub-agents in files of their own.

    kinds.py      every kind of record, system line and attachment that holds nothing of the conversation
    words.py      whose words a record holds, and what proves that the user typed them
    endings.py    how a tool call ended
    results.py    the user's words and decisions that stand in a tool's result
    reply.py      the reply under way, whose texts are held back
    waiting.py    prompts that the user typed while Claude worked
    places.py     where the logs lie
    reader.py     the reader: one table of kinds for each level of the format

The format is internal to Claude Code. docs/providers.md lists the versions that were seen.
"""

from kato.assistants.claude.places import CLAUDE
from kato.assistants.claude.reader import ClaudeReader

__all__ = ["CLAUDE", "ClaudeReader"]
