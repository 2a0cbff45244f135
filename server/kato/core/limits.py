"""The bounds of Kato, each with its unit at the end of its name and the reason for its figure.

Rule: every queue, buffer, table, file and wait has a bound. It is declared here, unless it concerns a single function; then it is a
constant of that function's module. The code relies on relations between some bounds; these are asserted at import, so that Kato does
not start with an edit that breaks one.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- Settings: defaults of the wire contract -------------------------------------------------------------
DAEMON_MAX_MEMORY_MB_DEFAULT: Final = 200
SESSIONS_MAX_DEFAULT: Final = 200
EVENTS_PER_SESSION_MAX_DEFAULT: Final = 10_000
MESSAGE_MB_MAX_DEFAULT: Final = 32
HEARTBEAT_SECONDS_DEFAULT: Final = 5.0
#: Bounds of the setting `heartbeatSeconds`. A heartbeat takes about a millisecond, so more than 20 a second would be a mistake. A
#: power loss can take what came since the last heartbeat, so a pause of more than a day would be one too.
HEARTBEAT_SECONDS_MIN: Final = 0.05
HEARTBEAT_SECONDS_MAX: Final = 86_400

# --- Budget ---------------------------------------------------------------------------------------------
#: The least that snapshots get. If `daemonMaxMemoryMb` leaves less, it bounds the snapshots alone and not the whole process.
SNAPSHOT_BUDGET_BYTES_MIN: Final = 16 * MIB
#: The share of the memory above the footprint that is reserved for requests in flight. Snapshots get the rest.
WORKING_RESERVE_SHARE: Final = 0.4
#: The smallest reserve of a process that is bounded as a whole; follows from the two figures above.
WORKING_RESERVE_BYTES_MIN: Final = int(
    SNAPSHOT_BUDGET_BYTES_MIN * WORKING_RESERVE_SHARE / (1 - WORKING_RESERVE_SHARE)
)
#: The distance from RSS to the limit at which Kato returns freed memory to the system and, if that is not enough, evicts sessions.
RSS_GUARD_BYTES: Final = 8 * MIB
#: The size from which on Kato estimates the memory that a message, a line of a log or an event takes, and makes room before it
#: reads it. Smaller ones fit into `RSS_GUARD_BYTES`.
LARGE_BYTES: Final = 1 * MIB
#: Bytes of frames between two measurements of RSS; a measurement takes 2 µs.
RSS_CHECK_INTERVAL_BYTES: Final = 1 * MIB
#: The change of the process' memory that is worth a notification (wire contract).
PROCESS_MEMORY_NEWS_BYTES: Final = 1 * MIB

# --- Store ----------------------------------------------------------------------------------------------
#: The usual size of a chunk of events in memory: small enough that dropping the oldest events frees memory soon, large enough that
#: the objects' headers do not matter.
CHUNK_BYTES: Final = 32 * KIB
#: The cost of a chunk in addition to its bytes: the object's header, its record and its entry in the list.
CHUNK_OVERHEAD_BYTES: Final = 160
#: The cost of a resident session in addition to its events: key, record, dictionary entry, title and folder.
SESSION_OVERHEAD_BYTES: Final = 1 * KIB
#: Events that another process stored and this one fetches one by one into a resident snapshot. If it lacks more, it loads the
#: snapshot again.
CATCH_UP_EVENTS_MAX: Final = 1000

# --- Journal ---------------------------------------------------------------------------------------------
#: SQLite's page cache, which counts as part of the process' footprint.
JOURNAL_CACHE_BYTES: Final = 4 * MIB
#: Bytes of commits after which a thread copies the write-ahead log into the database.
JOURNAL_CHECKPOINT_BYTES: Final = 4 * MIB
#: The size of a database page.
JOURNAL_PAGE_BYTES: Final = 8 * KIB
#: Pages of the write-ahead log (128 MiB) at which a commit copies it itself, because the thread cannot keep up with a flood. Writers
#: wait 10 to 60 ms for that, so it has to be rare.
JOURNAL_WAL_PAGES_MAX: Final = 16_384
#: The size to which the write-ahead log's file is cut after it was larger.
JOURNAL_WAL_BYTES_MAX: Final = 64 * MIB
#: How long a process waits for the transaction of another one. SQLite releases the lock of a process that dies.
JOURNAL_BUSY_MS: Final = 5_000
#: The steps of that wait, because a signal cannot end a wait of SQLite's own.
JOURNAL_BUSY_STEP_MS: Final = 50
#: How long a process waits while another one opens, migrates or recovers the journal.
JOURNAL_OPEN_SECONDS_MAX: Final = 60
#: The size of a row of events. A single larger event has a row of its own.
JOURNAL_CHUNK_BYTES: Final = 256 * KIB
#: Rows of that size that a reader of a session holds in memory. Larger rows count by their bytes.
JOURNAL_READ_CHUNKS: Final = 8
#: The memory that reading a row takes, as a multiple of its bytes: SQLite's copy and Kato's.
JOURNAL_ROW_COST: Final = 2
#: Problems that `kato journal check` lists.
JOURNAL_PROBLEMS_MAX: Final = 1000
#: The pause after which a command that waits for an earlier command of another process looks again; doubles up to the maximum.
OTHERS_COMMANDS_SECONDS_MIN: Final = 0.02
OTHERS_COMMANDS_SECONDS_MAX: Final = 1.0
#: How long, or for how many freed pages, `kato clean` holds the journal's lock at a time.
JOURNAL_HOLD_SECONDS: Final = 0.25
JOURNAL_HOLD_PAGES: Final = 4096
#: The pause between two such holds. SQLite sleeps at most 0.1 s between two tries to get the lock, so others get their turn.
JOURNAL_TURN_SECONDS: Final = 0.11
#: The largest journal that `kato clean` rewrites while other processes use it. It must take less than `JOURNAL_BUSY_MS`: 880 MB took
#: 2.5 s, on a busy machine 6.5 s.
JOURNAL_REWRITE_BYTES_MAX: Final = 512 * MIB
#: The age from which on a temporary file is unused for certain: no process writes one for an hour.
TEMPORARY_SECONDS_MAX: Final = 3600

# --- Search -----------------------------------------------------------------------------------------------
QUERY_CHARS_MAX: Final = 1000
QUERY_WORDS_MAX: Final = 64
#: Matches of one message that are marked; an excerpt shows some of the first.
SEARCH_SPANS_MAX: Final = 256
#: Characters of an excerpt: two lines of a terminal, or a row of a list.
EXCERPT_CHARS: Final = 160
#: Characters of a message that are indexed: longer ones are files and outputs of tools, which repeat what the disk has.
SEARCHED_CHARS_MAX: Final = 16 * KIB
#: An event whose JSON is larger is not indexed: reading it would take several times its size in memory.
SEARCHED_EVENT_BYTES_MAX: Final = 4 * MIB
#: Events in one table of the index. Ranking the matches of a word that stands in each of them takes about 40 ms.
SEARCH_SHARD_EVENTS: Final = 16_384
#: With so many matches in the newest tables, the older tables are not searched.
SEARCH_RANKED_MAX: Final = 2_000
SEARCH_HITS_DEFAULT: Final = 20
SEARCH_HITS_MAX: Final = 200
#: A query that takes longer is answered with what was found by then.
SEARCH_SECONDS_MAX: Final = 2.0
#: How long a query waits while what was said last is indexed.
SEARCH_CATCH_UP_SECONDS: Final = 0.2
#: The same in a terminal, where a bar shows how far it is; a server may not have run for months.
SEARCH_FIRST_SECONDS: Final = 30.0
#: Session logs that are not in the journal are read for a query until so many bytes or seconds are used, the newest first.
SEARCH_LOG_BYTES_MAX: Final = 1024 * MIB
SEARCH_LOG_SECONDS_MAX: Final = 1.5
#: Queries that wait for an answer.
SEARCH_WAITING_MAX: Final = 16
#: Events that are indexed in one transaction: other processes wait for it, and a query waits for the thread.
SEARCH_STEP_BYTES: Final = 256 * KIB
#: The share of a core that the indexing thread takes.
SEARCH_SHARE: Final = 0.25
#: Beyond this the index begins again with the newest conversations, and fills half of it.
SEARCH_INDEX_BYTES_MAX: Final = 1024 * MIB
#: SQLite's page cache of the index, and of its connection to the journal; counted in the process' footprint.
SEARCH_CACHE_BYTES: Final = 4 * MIB
SEARCH_READ_CACHE_BYTES: Final = 512 * KIB
#: How long the index waits for another process that writes to it.
SEARCH_BUSY_MS: Final = 1000

# --- The catalogue --------------------------------------------------------------------------------------
#: Conversations in an answer to `kato/sessions`.
CONVERSATIONS_DEFAULT: Final = 200
CONVERSATIONS_MAX: Final = 1000

# --- Old conversations -------------------------------------------------------------------------------------
#: Conversations that changed in this time are left to the process that follows them: commands in them may have to run.
KEEP_QUIET_MS: Final = 10 * 60 * 1000
#: The share of a core that reading old conversations takes in a server.
KEEP_SHARE: Final = 0.1
#: When the server has read all, it looks again after this time.
KEEP_PAUSE_SECONDS: Final = 3600

# --- Session logs: reading ---------------------------------------------------------------------------------
#: A line of a log, which is decoded as a whole. Longer lines are skipped and counted. Lines with pictures have some MB.
LOG_LINE_BYTES_MAX: Final = 16 * MIB
#: Records on one line. Crashes of assistants leave two or three; a line with more is not a line of records.
LOG_LINE_RECORDS_MAX: Final = 256
#: Offsets of a damaged line at which decoding is tried again. A torn record has some dozens of candidates.
LOG_LINE_TRIES_MAX: Final = 64
#: Lines of a string with raw line breaks, for example a page that a tool fetched.
LOG_JOINED_LINES_MAX: Final = 8192
#: Events without a time that wait for the first time in the log. The first records of all known formats have one.
LOG_UNDATED_EVENTS_MAX: Final = 64
#: The memory that storing the events of a large line takes in addition to decoding it, as a multiple of its bytes: the events'
#: lines, and SQLite's copy.
LOG_LARGE_COST: Final = 2
#: A log that is one JSON document, which is decoded as a whole.
LOG_DOCUMENT_BYTES_MAX: Final = 32 * MIB
#: Bytes that are stored for a record of an unknown kind.
LOG_UNKNOWN_BYTES_MAX: Final = 4 * KIB
#: Unknown kinds of one log that are counted by name. A format has some dozens of kinds.
LOG_UNKNOWN_KINDS_MAX: Final = 256
#: Bytes of one log that are read before the event loop does other work.
LOG_READ_BYTES: Final = 256 * KIB
#: A small file that belongs to a log: a name, a folder, an index of names.
LOG_COMPANION_BYTES_MAX: Final = 4 * MIB
#: The time without changes after which a log counts as abandoned: an unfinished answer at its end was cut off.
LOG_ABANDONED_MS: Final = 10 * 60 * 1000
#: Bytes at the end of a long log that are searched for the record with its title; takes 0.3 s.
LOG_TITLE_BYTES_MAX: Final = 256 * MIB
#: Logs whose name, size and time are remembered, and logs that wait to be read. The oldest are dropped.
LOGS_MAX: Final = 50_000
#: Sessions of one log (its own and its sub-agents') whose title and folder were handed over and need not be again.
LOG_SESSIONS_MAX: Final = 4096
#: How many sessions above a sub-agent's own are asked whether they are kept.
GENERATIONS_MAX: Final = 16
#: Kato looks for a `.katoignore` file in a folder once in so many seconds, and remembers so many folders.
IGNORE_SECONDS: Final = 2.0
IGNORE_FOLDERS_MAX: Final = 20_000
#: Kinds of problems in logs that are counted and logged. `kato doctor` reads the logs itself and shows all.
LOG_PROBLEMS_MAX: Final = 1000
#: Unreadable paths that are counted. The oldest are dropped.
LOG_UNREADABLE_MAX: Final = 1000
#: Bytes at a log's beginning, and before the position that was read, whose change shows that the log was replaced.
LOG_COMPARED_BYTES: Final = 1024
#: Logs with an open reader. The one that changed least recently is closed.
TAILS_MAX: Final = 64
#: The age of a log's last change up to which it is read at the start. Older ones are read when they change.
LOG_RECENT_SECONDS: Final = 24 * 3600
#: How long before the start a command may have been typed that still runs, if the journal knows its session.
COMMAND_GRACE_MS: Final = 10 * 60 * 1000
#: The difference between wall clock and monotonic clock that shows that the wall clock was set. NTP slews by at most 0.5 ms a second.
CLOCK_STEP_MS: Final = 1000
#: How far in the future a time may be. A later one was taken from a clock that was ahead. Machines that share a home folder differ
#: by less.
CLOCK_SKEW_MS: Final = 60 * 1000
#: Spans between settings of the clock that are remembered. Events from earlier spans were read long ago.
CLOCK_SPANS_MAX: Final = 16
#: The total size of open logs whose readers hold their whole content (a state that the assistant changes in place).
LOG_HELD_BYTES_MAX: Final = 8 * MIB
#: The memory of such a log's content, as a multiple of its size; measured 5 to 6.
LOG_HELD_COST: Final = 6
#: The last events of a known session among which a reply is searched whose text has grown since. A reply has some dozens.
LOG_RESUMED_EVENTS: Final = 64
#: How long a process without an open folder leaves a session to a window that has its folder open.
LOG_PATIENCE_SECONDS: Final = 1.0
#: The time without changes after which a log is complete for now.
LOG_SETTLE_SECONDS: Final = 0.25
#: Bytes of a log that are read before a session without a folder counts as one of another folder.
LOG_FOLDERLESS_BYTES_MAX: Final = 4 * MIB
#: The same in events, for a log that is quiet.
LOG_FOLDERLESS_EVENTS_MAX: Final = 100

# --- Session logs: watching --------------------------------------------------------------------------------
#: Logs that changed within `LOG_ACTIVE_SECONDS` are checked every `LOG_LOOK_SECONDS`, even if nothing reports a change.
LOG_ACTIVE_SECONDS: Final = 600
LOG_LOOK_SECONDS: Final = 0.5
#: Logs that changed within `LOG_QUICK_SECONDS` are checked more often than the watcher wakes, so that a line is in the note before
#: the assistant writes the next one.
LOG_QUICK_SECONDS: Final = 10
LOG_QUICK_LOOK_SECONDS: Final = 0.03
#: The interval at which watchfiles collects changes.
LOG_WATCH_STEP_MS: Final = 150
#: The interval at which the watcher's thread returns to Python while nothing changes, so that it can end.
LOG_WATCH_WAIT_MS: Final = 30_000
#: A read from inotify. The kernel queues at most 16,384 events (`max_queued_events`) of about 50 bytes, so one read empties it.
LOG_WATCH_QUEUE_BYTES: Final = 1 * MIB
#: Times after the start of a tree's watch at which the roots are scanned, because the watch begins with a delay.
LOG_WATCH_START_SECONDS: Final = (0.5, 2.0)
#: How long reported changes are collected. A log that is written without pause is read 50 times a second.
LOG_GATHER_SECONDS: Final = 0.02
#: Folders that are watched. A watch takes about 1 kB of the kernel's memory.
LOG_FOLDERS_MAX: Final = 16_384
#: The delay of the first scan, so that the client's first requests are answered before it.
LOG_FIRST_SCAN_SECONDS: Final = 0.05
#: The delay of a scan after the system dropped changes, because it may drop more meanwhile.
LOG_OVERFLOW_SCAN_SECONDS: Final = 1.0
#: The delay of a scan that is due while folders are still being listed.
LOG_BUSY_SCAN_SECONDS: Final = 1.0
#: The interval of scans of all roots. It grows until scans take at most `LOG_SCAN_SHARE` of the time, up to the maximum.
LOG_SCAN_SECONDS: Final = 20
LOG_SCAN_SHARE: Final = 0.0002
LOG_SCAN_SECONDS_MAX: Final = 300
#: How long listing keeps the event loop at a time, and how many logs or folders are listed between two looks at the clock.
LOG_PIECE_SECONDS: Final = 0.01
LOG_PIECE_LOGS: Final = 64
#: The interval at which the folders' times are checked, for folders whose changes the system does not report (network drives, folders
#: that do not exist yet). It grows like the interval of scans, up to the maximum.
LOG_FOLDERS_SECONDS: Final = 3.0
LOG_FOLDERS_SECONDS_MAX: Final = 20
#: The same figures for a watcher that failed: Kato finds a new session within two seconds.
LOG_BLIND_FOLDERS_SECONDS: Final = 1.0
LOG_BLIND_SCAN_SECONDS: Final = 5
LOG_BLIND_SCAN_SECONDS_MAX: Final = 60
LOG_BLIND_SHARE: Final = 0.02
#: Folders with sessions of this window in which all logs are checked while the watcher fails.
LOG_BLIND_FOLDERS_MAX: Final = 64
#: The age of a folder's time from which on a further change gives another time: FAT counts in steps of two seconds.
LOG_FOLDER_SETTLED_MS: Final = 2000

# --- Wire -----------------------------------------------------------------------------------------------
#: A header line of an LSP frame; real ones have at most about 60 bytes.
HEADER_LINE_BYTES_MAX: Final = 4 * KIB
#: A single read from the client.
READ_BYTES: Final = 64 * KIB
#: Bytes that are read before their messages are committed and answered, so that a request waits for at most that much. A commit
#: writes about seven pages whatever it contains, so smaller rounds would cost more.
READ_ROUND_BYTES: Final = 128 * KIB
#: Answers that the client has not read. Beyond this the server handles no further message.
OUTGOING_BYTES_MAX: Final = 4 * MIB
#: Beyond this the server drops notifications, of which one request or one line of a log can cause many.
UNREAD_NOTIFICATIONS_BYTES_MAX: Final = 2 * OUTGOING_BYTES_MAX
#: How long a client that ends may read nothing before its answers are dropped; part of the two seconds of the end.
UNREAD_SECONDS_MAX: Final = 1.0
#: A page: the part of a list (events of a session, sessions of a status) in one answer. Clients request the next page.
PAGE_BYTES_MAX: Final = 2 * MIB
#: The memory that a page with a single larger event takes, as a multiple of its bytes: the encoder's copy, and the queued one.
PAGE_COST: Final = 2
#: The depth of nesting that orjson can write (255 fails).
JSON_DEPTH_MAX: Final = 254
READ_SESSION_LIMIT_DEFAULT: Final = 200
READ_SESSION_LIMIT_MAX: Final = 1000
#: Work that takes longer than `PROGRESS_AFTER_SECONDS` is reported with `$/progress`, every `PROGRESS_EVERY_SECONDS`.
PROGRESS_AFTER_SECONDS: Final = 1.0
PROGRESS_EVERY_SECONDS: Final = 0.25
#: The Markdown of a session that an editor shows read-only. A longer document would make editors slow.
RENDERED_BYTES_MAX: Final = 2 * MIB
RENDERED_BYTES_MIN: Final = 1 * KIB
#: Bytes of events before the wanted one that are rendered for a passage of a transcript.
PASSAGE_READ_BYTES: Final = 16 * MIB
#: The memory that sending it takes, as a multiple of its bytes: pieces, the joined text, text of wide characters, JSON.
RENDERED_COST: Final = 8

# --- Model ----------------------------------------------------------------------------------------------
#: An identifier: of an event, a session, a provider, a turn, a tool call. Real ones have at most 120 characters.
ID_CHARS_MAX: Final = 512
TITLE_CHARS_MAX: Final = 60
#: A git branch; longer names are cut.
BRANCH_CHARS_MAX: Final = 200
#: Lines of a message that are searched for a title. Lines before the title are commands; judging a mistyped one takes 40 µs.
TITLE_LINES_MAX: Final = 32
#: The age of a session's last message from which on the session is stale (wire contract).
STALE_AFTER_MS: Final = 5 * 60 * 1000
#: Commands of one message that run. More are reported and not run: a user does not type them, a program does.
COMMANDS_PER_MESSAGE_MAX: Final = 32
#: The same for the messages of one request, or of one piece of a log.
COMMANDS_PER_APPEND_MAX: Final = 1000
#: Commands in a doubtful message that are reported one by one; the last report counts the rest. Hostile text can contain thousands,
#: and each report interrupts the user.
DOUBTFUL_COMMANDS_MAX: Final = 4
#: The reason of a doubt, in a report.
DOUBT_CHARS_MAX: Final = 200
#: Lines of a message that look like commands and are parsed.
COMMAND_LINES_MAX: Final = 1024
#: Lines of a message that begin with `::` and an unknown word and are compared with the commands' names, which takes 40 µs a line. A
#: message with more such lines is code.
OTHER_WORDS_MAX: Final = 256
PATH_CHARS_MAX: Final = 4096

# --- Transcript -----------------------------------------------------------------------------------------
#: End tags that are added to a message that leaves HTML elements open.
OPEN_ELEMENTS_MAX: Final = 64

# --- The end --------------------------------------------------------------------------------------------
#: How long the process takes from the first sign of its end (a signal, the end of input, `exit`). Editors kill a server after about
#: two seconds. Everything that was acknowledged is safe by then, so being cut off loses nothing.
END_SECONDS_MAX: Final = 1.8
#: The parts of that time for all waits for the journal's lock together, and for writing to a slow client.
END_LOCK_SECONDS_MAX: Final = 0.5
END_DRAIN_SECONDS_MAX: Final = 1.0

# --- Status ---------------------------------------------------------------------------------------------
#: The shortest interval of `kato/statusChanged`; the contract promises "within a second".
STATUS_COALESCE_SECONDS: Final = 0.5
#: Sessions in `kato/statusChanged` and in the status file. Clients request more with `kato/status`.
STATUS_NEWS_SESSIONS_MAX: Final = 200
#: Sessions in a status. A page of `PAGE_BYTES_MAX` has room for about 8,000.
STATUS_SESSIONS_MAX: Final = 10_000
#: The share of a core that counts over all sessions may take; a count that takes longer is repeated less often.
COUNTING_SHARE: Final = 0.02
#: A count that takes no longer than this is repeated whenever it is needed.
COUNTING_SECONDS_FREE: Final = 0.002
#: A status file that is read. One with 50,000 sessions, which earlier versions wrote, has 39 MiB.
STATUS_FILE_BYTES_MAX: Final = 64 * MIB

# --- Texts for people -----------------------------------------------------------------------------------
#: A line of the log or the terminal, a notice, or an error's message: two paths and a sentence.
MESSAGE_CHARS_MAX: Final = 10_000

# --- Kato's own log files -------------------------------------------------------------------------------
#: The log file of a process, and how many older pieces of it are kept.
LOG_FILE_BYTES_MAX: Final = 2 * MIB
LOG_FILES_MAX: Final = 1
#: Log files and status files of ended processes that are kept. The oldest are removed.
ENDED_LOGS_MAX: Final = 10
ENDED_STATUS_FILES_MAX: Final = 20
#: `audit.jsonl`; one older file of this size is kept.
AUDIT_FILE_BYTES_MAX: Final = 4 * MIB

# --- Writer ---------------------------------------------------------------------------------------------
#: The pieces in which transcripts are rendered and written, however long a conversation is.
WRITE_PIECE_BYTES: Final = 256 * KIB
#: The frontmatter of a note that Kato adopts. A longer block counts as text.
FRONTMATTER_BYTES_MAX: Final = 256 * KIB
#: Backups of one note from the same second.
BACKUPS_PER_NAME_MAX: Final = 1000
#: Bytes of a note's name in the names of its temporary files and copies. File systems allow names of 255 bytes, eCryptfs of 143; the
#: process' mark or the time, and an ending, add at most 60.
TEMPORARY_NAME_BYTES: Final = 60
#: Bytes of a changed note's end that are compared with what Kato wrote; takes about 0.1 s.
LOOK_TEXT_BYTES: Final = 1 * MIB
#: Lines, and bytes, of a note's end that Kato remembers when it looks at the note.
LOOK_CONTEXT_LINES: Final = 256
LOOK_CONTEXT_BYTES: Final = 32 * KIB
#: Bytes that Kato writes to a note before it looks at it again: the most that an older version of the note, saved by an editor, can
#: lack for Kato to find all that is missing.
LOOK_WRITTEN_BYTES_MAX: Final = 256 * KIB
#: The age at which a temporary file of an unknown process (on another machine, in another container) is removed. A note is written
#: within seconds.
FOREIGN_LEFTOVER_SECONDS: Final = 3600
#: Notes that are remembered as unchanged, so that the heartbeat does not read their records.
NOTES_SEEN_MAX: Final = 10_000
#: Two changes within this time may give a file the same time: 2 s on FAT, 10 ms on other file systems.
MTIME_GRAIN_NS: Final = 2_000_000_000
#: Folders that are remembered as free of temporary files.
SWEPT_FOLDERS_MAX: Final = 1000

#: A picture of a conversation, and all that are kept for notes (`markdown.images`). The log that contained one has it too.
PICTURE_BYTES_MAX: Final = 32 * MIB
PICTURES_BYTES_MAX: Final = 1024 * MIB

# --- Notes in editors -----------------------------------------------------------------------------------
#: Open documents whose changes are followed. A window has some dozens; Kato writes further ones as files.
OPEN_DOCUMENTS_MAX: Final = 1000
#: How long Kato waits for the answer to an edit before it sends the edit again. VS Code takes that long to save a note with a
#: formatter.
EDIT_ANSWER_SECONDS: Final = 10.0
#: Consecutive refusals of an edit after which the user is notified. The first ones are due to keys that the user is typing.
EDIT_REFUSALS_MAX: Final = 3
#: How long the hold of a process that ended lasts: an editor that restarts restores its unsaved text.
HOLD_GRACE_MS: Final = 30_000
#: Bytes of a note's end that are searched for what the editor saved: first a little, and if that is not enough, more.
HELD_TEXT_BYTES: Final = 128 * KIB
HELD_TEXT_BYTES_MAX: Final = 2 * MIB
#: The texts of open notes that Kato keeps, to answer questions about them, all together and in UTF-8. Larger ones are read from their
#: files, while they have no unsaved changes. A note of an hour's conversation has about 100 kB.
NOTE_TEXTS_BYTES_MAX: Final = 4 * MIB
#: A note that is read for an outline. Reading takes about 0.2 s for a megabyte, `NOTE_PIECE_BYTES` at a time.
NOTE_READ_BYTES_MAX: Final = 64 * MIB
NOTE_PIECE_BYTES: Final = 32 * KIB
#: How long reading a note keeps the event loop at a time.
NOTE_PIECE_SECONDS: Final = 0.01
#: Sections, and names of files, in an outline; a section takes about 300 bytes in memory and in an answer. Editors show some thousands.
OUTLINE_SECTIONS_MAX: Final = 10_000
OUTLINE_FILES_MAX: Final = 1_000
#: Sections of all outlines that are remembered, of at most `OUTLINES_MAX` notes.
OUTLINES_SECTIONS_MAX: Final = 10_000
OUTLINES_MAX: Final = 16
#: Requests about notes that wait for an outline.
OUTLINE_WAITING_MAX: Final = 256
#: Links to files in one answer; each is looked up on the disk.
NOTE_LINKS_MAX: Final = 500
#: Notes whose code lenses are compared with what was last shown.
LENSES_MAX: Final = 64
#: How long changes of recordings are collected before the client is asked to fetch code lenses again.
LENS_COALESCE_SECONDS: Final = 0.5
#: How long a note is missing before that is reported. Editors that save by renaming leave a gap of milliseconds.
NOTE_MISSING_GRACE_MS: Final = 1000
#: How long an empty note is left alone, because an editor that saves in place empties the file before it writes.
NOTE_SAVING_MS: Final = 1000
#: Notes of a folder whose first bytes are searched for a recording's id when a note was renamed.
MOVED_NOTES_MAX: Final = 500
MOVED_NOTE_HEAD_BYTES: Final = 16 * KIB

# --- Channels -------------------------------------------------------------------------------------------
#: Text of a conversation in an answer to an assistant, by default and at most, and an answer as a whole.
MCP_TEXT_BYTES_DEFAULT: Final = 12 * KIB
MCP_TEXT_BYTES_MAX: Final = 32 * KIB
MCP_ANSWER_BYTES_MAX: Final = 48 * KIB
#: How long a search of an assistant indexes before it answers, where no running Kato has done it.
MCP_INDEX_SECONDS_MAX: Final = 5.0
#: A request on the local socket: a prompt with commands in it. Longer prompts are left to the session's log.
LOCAL_REQUEST_BYTES_MAX: Final = 1 * MIB
LOCAL_REQUEST_SECONDS_MAX: Final = 2.0
LOCAL_CONNECTIONS_MAX: Final = 16
#: How long a request waits for the session's log to be read to its end.
LOCAL_READ_SECONDS_MAX: Final = 0.3
#: Prompts that hooks reported, and how long one is compared with what the session's log brings.
TYPED_PROMPTS_MAX: Final = 64
TYPED_PROMPT_SECONDS_MAX: Final = 600.0
#: A message between an editor and an agent (`kato acp`) that is read: a prompt with a picture. Longer ones pass through unread.
ACP_LINE_BYTES_MAX: Final = 16 * MIB
#: What a session of an agent holds until it is an event: characters of a message, tool calls under way and ended, requests without
#: an answer, sessions, and folders of one.
ACP_TEXT_CHARS_MAX: Final = 1 * MIB
ACP_OPEN_CALLS_MAX: Final = 256
ACP_ENDED_CALLS_MAX: Final = 4096
ACP_REQUESTS_MAX: Final = 1024
ACP_SESSIONS_MAX: Final = 64
ACP_FOLDERS_MAX: Final = 16
#: An event of an agent, and the events in one request on the local socket: JSON in ASCII, as it is sent, takes up to three times as
#: many bytes. The texts of a larger event are cut to so many characters.
ACP_EVENT_BYTES_MAX: Final = 256 * KIB
ACP_BATCH_BYTES: Final = 320 * KIB
ACP_CUT_CHARS: Final = 40_000
#: Events of sessions that wait until it is known whether the agent's own log has them, and how long after the end of a turn.
ACP_HELD_BYTES_MAX: Final = 8 * MIB
ACP_LOG_SECONDS: Final = 5.0
#: The silence after which a message without an end counts as complete, where no prompt waits for its answer.
ACP_QUIET_SECONDS: Final = 2.0
#: Stored events that are compared with the history that an agent repeats.
ACP_COMPARED_EVENTS_MAX: Final = 20_000

assert 2 * (LOOK_WRITTEN_BYTES_MAX + WRITE_PIECE_BYTES) <= LOOK_TEXT_BYTES
assert READ_BYTES <= READ_ROUND_BYTES < MESSAGE_MB_MAX_DEFAULT * MIB
assert CHUNK_BYTES < SNAPSHOT_BUDGET_BYTES_MIN // 64
assert SNAPSHOT_BUDGET_BYTES_MIN < DAEMON_MAX_MEMORY_MB_DEFAULT * MIB
assert 0 < WORKING_RESERVE_SHARE < 1
# A page is read, encoded and queued behind the answers that wait.
assert OUTGOING_BYTES_MAX + 3 * PAGE_BYTES_MAX <= WORKING_RESERVE_BYTES_MIN
assert STATUS_NEWS_SESSIONS_MAX <= STATUS_SESSIONS_MAX
assert READ_SESSION_LIMIT_DEFAULT <= READ_SESSION_LIMIT_MAX
assert STATUS_COALESCE_SECONDS < 1
assert END_LOCK_SECONDS_MAX + END_DRAIN_SECONDS_MAX < END_SECONDS_MAX
assert UNREAD_SECONDS_MAX < END_SECONDS_MAX
assert JOURNAL_BUSY_STEP_MS / 1000 < END_LOCK_SECONDS_MAX / 2
assert 2 * PATH_CHARS_MAX < MESSAGE_CHARS_MAX
assert 3 * ACP_BATCH_BYTES < LOCAL_REQUEST_BYTES_MAX
assert 6 * ACP_CUT_CHARS < ACP_EVENT_BYTES_MAX <= ACP_BATCH_BYTES
