"""The terminal: one function a subcommand, tables, and the client that talks to a server."""
