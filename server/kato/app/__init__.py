"""The process: makes the parts from the settings, runs them and ends them. The server and `kato watch` share it.

build     settings to an engine           runtime    engine, session logs, heartbeat, status file
config    the machine's folders, logging  process    memory, and which processes are alive
ending    signals, last steps, exit code  statusfiles, cleaning
chat, local_server: what hooks and the MCP server ask a running process
"""
