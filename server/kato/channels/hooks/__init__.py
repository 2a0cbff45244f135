"""Hooks: the host of an assistant calls Kato with each prompt, and shows the user what Kato answers.

hosts       one entry a host: its events, the fields that Kato reads, and how it shows a text
entry       `kato hook`, which the host runs; imports next to nothing
settings    the hosts' files in which hooks are registered
"""
