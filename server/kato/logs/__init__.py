"""Session logs on disk: finds, watches and reads them, and hands their events to the engine.

finding    discovery, folders, parts, unreadable
watching   platform_watcher: inotify on Linux, trees elsewhere; news and reading_queue: which log is read next
reading    tail (one log in pieces), follow (all logs), followed and state (one log's state), driver (on the event loop)
meaning    scope (which sessions belong here), history and livetimes (what is live), stores,
           typed (prompts that hooks reported), handover (to the engine)
"""
