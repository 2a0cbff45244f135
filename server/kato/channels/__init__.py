"""Ways in which an assistant or its host reaches Kato from inside a chat: MCP tools, hooks, ACP."""

from typing import Final

#: Set in the environment of an agent behind `kato acp`, which gets the conversation and answers its commands: hooks of the agent
#: are silent there, so that nothing is answered or stored twice.
BEHIND_ACP: Final = "KATO_BEHIND_ACP"
