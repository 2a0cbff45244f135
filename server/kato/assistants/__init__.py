"""The assistants: for each, where its session logs are and how their bytes become conversation events. Pure."""
