"""The language server: framing, transport, JSON encoding and handlers. The only package that imports pygls."""
