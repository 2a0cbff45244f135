"""ACP: `kato acp -- AGENT…` stands between an editor and an agent (Agent Client Protocol), and feeds the conversation to Kato.

The process that the editor starts, which imports next to nothing:

entry           starts the agent and the observer, and ends with the agent's exit code
pump            copies every byte unchanged, and a copy of it to the observer
frames          the form of that copy

The observer, a process of its own, so that nothing that it does can delay or break the stream:

lines           bytes to JSON-RPC messages
conversation    messages of both sides to what happened in which session: the protocol's state machine
updates         what an agent reports in a session, as events
tool_calls      tool calls of the protocol, with the names and arguments that Kato knows
prompts         content blocks as text
names           the name under which the conversations of an agent are stored
sources         whether a session is stored from here or from the agent's own log
feeding         what happened, to a Kato
katos           the Kato that runs, else `own`: one in this process
asides          sentences of Kato between those of the agent
observer        the parts of the process together
"""
