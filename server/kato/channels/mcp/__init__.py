"""The MCP server: an assistant searches and reads the stored conversations, and captures one.

stdio       lines of JSON on stdin and stdout
protocol    messages to results, for all revisions of the protocol
tools       the tools, each declared once, and what they answer
archive     reads of the journal, bounded in bytes
control     requests to the Kato that follows a conversation
"""
