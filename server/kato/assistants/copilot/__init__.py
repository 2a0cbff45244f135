"""GitHub Copilot: the stores of VS Code, of Copilot CLI and of the JetBrains plugin.

    <User>/workspaceStorage/<hash>/chatSessions/<id>.jsonl                     `chat_sessions`: a log of mutations of one state
    <User>/workspaceStorage/<hash>/chatSessions/<id>.json                      `chat_sessions`: the state, rewritten as a whole
    <User>/workspaceStorage/<hash>/GitHub.copilot-chat/transcripts/<id>.jsonl  `transcripts`: events, appended
    ~/.copilot/session-state/<id>/events.jsonl                                 `cli`: more kinds of the same events
    ~/.copilot/jb/<conversation>/partition-<n>.jsonl                           `jetbrains`: more kinds of the same events

VS Code's agent host keeps its chats in the store of Copilot CLI (`client_name: vscode-agent-host` in `workspace.yaml`).

What proves that a text was typed:

- In a state: `message.text` of a request that VS Code did not start itself (`isSystemInitiated`) and did not compose from a
  button (`confirmation`); `feedbackOverall` of a plan review.
- In events: `content` of a `user.message` without a source, or with the source "user", that is not a sub-agent's (`agentId`,
  `parentToolCallId`) and not the autopilot's (`isAutopilotContinuation`); the feedback with which the user denied a tool.

A text of either may contain blocks of the host. Notifications at its end are cut off; any other block of tags makes the whole
message doubtful. A prompt as JetBrains renders it holds the editor's context, and is always doubtful.

Rules: a session that has a transcript is read from it; a state is read where it is the only store. From a state, Kato emits the
user's message when it appears and the answer when it is complete. The unsent draft (`inputState`) is never read. What a
sub-agent said and did is a session of its own.
"""

from kato.assistants.copilot.places import COPILOT
from kato.assistants.copilot.reader import CopilotDocument, CopilotReader

__all__ = ["COPILOT", "CopilotDocument", "CopilotReader"]
