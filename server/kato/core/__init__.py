"""Values and pure rules: no IO, no clock, no logging, no threads, no protocol. Every other package may import this one.

values       events, records, commands, outcomes, notices, views, status, settings, moments, errors
rules        grammar (commands in a message), blocks (Markdown), setting_rules, paths (as strings), text, lenient_json
storage      lines (events as JSON), snapshots (the bounded store in memory), limits (every bound)
interfaces   ports: what the engine, the notes and the logs need from storage, process and listener
"""
