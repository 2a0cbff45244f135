"""Gemini CLI and Code Assist: `tmp/<project>/chats/session-<time>-<id8>.jsonl`, before 0.39 one `.json` document.

    words.py      whose words a message of type `user` holds
    tools.py      results of tools, and decisions of the user in them
    messages.py   what a message means, in both generations of the format
    reader.py     the records of both generations
    places.py     where the logs lie

docs/providers.md lists the versions that were seen.
"""

from kato.assistants.gemini.places import GEMINI
from kato.assistants.gemini.reader import GeminiDocument, GeminiReader

__all__ = ["GEMINI", "GeminiDocument", "GeminiReader"]
