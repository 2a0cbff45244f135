"""One module an assistant: bytes of a session log in, conversation events and problems out. Pure."""
