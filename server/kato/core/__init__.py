"""Values and pure rules: no IO, no clock, no logging, no threads, no protocol. Everything else may import it."""
