"""The Markdown notes: how a transcript reads, which paths may be written, how files are written and repaired."""
