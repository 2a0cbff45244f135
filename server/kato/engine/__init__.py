"""The owner of all state: appends, commands, recordings and the memory budget. Knows no protocol and no log file."""
