"""Ways in which an assistant or its host reaches Kato from inside a chat: MCP tools, hooks."""
