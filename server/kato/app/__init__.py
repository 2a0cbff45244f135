"""The process: configuration, assembly of the parts, status files, its memory and its end."""
