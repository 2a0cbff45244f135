"""The language server: bytes to messages, messages to the engine, and answers back. The only package that imports pygls.

bytes      transport, framing, connection
messages   protocol, methods (Kato's own, declared once), wire (their structs), contract (for other clients)
handlers   requests, configuration, files, open_documents with documents; note_views with outlines and note_answers
sending    notifications, progress
the whole  server, and life: its states
"""
