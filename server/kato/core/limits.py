"""Every bound, with its unit last in the name and where its figure comes from.

Rule: nothing in Kato grows without a bound, and no bound stands anywhere but here. The relations between
bounds that the code relies on are asserted at import, so that an edit that breaks one cannot run.
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
#: A heartbeat costs about a millisecond: more than 20 a second are a slip of the pen. It also bounds what a power loss can
#: take, so that more than a day is one as well.
HEARTBEAT_SECONDS_MIN: Final = 0.05
HEARTBEAT_SECONDS_MAX: Final = 86_400

# --- Budget ---------------------------------------------------------------------------------------------
#: Below this the process cannot be bounded as a whole: the figure then bounds the snapshots alone (behaviour.md).
SNAPSHOT_BUDGET_BYTES_MIN: Final = 16 * MIB
#: The part of the memory left beside the footprint that is kept for requests in flight.
WORKING_RESERVE_SHARE: Final = 0.4
#: The least that is kept so, where the process as a whole is bounded.
WORKING_RESERVE_BYTES_MIN: Final = int(
    SNAPSHOT_BUDGET_BYTES_MIN * WORKING_RESERVE_SHARE / (1 - WORKING_RESERVE_SHARE)
)
#: How far RSS may come to the limit before freed memory is trimmed and, if that does not help, sessions are evicted.
RSS_GUARD_BYTES: Final = 8 * MIB
#: From this size on, what a message, a line of a log or an event takes in memory is weighed before it is read.
LARGE_BYTES: Final = 1 * MIB
#: RSS is looked at again after this many bytes of ingested frames; a look costs two microseconds.
RSS_CHECK_INTERVAL_BYTES: Final = 1 * MIB
#: Process memory that moved by this much since the last notification is news (wire contract).
PROCESS_MEMORY_NEWS_BYTES: Final = 1 * MIB

# --- Store ----------------------------------------------------------------------------------------------
#: Events of a session lie together in chunks of about this size: small enough that dropping the oldest
#: events gives memory back soon, large enough that the object headers do not matter.
CHUNK_BYTES: Final = 32 * KIB
#: What a chunk costs beside its bytes: the object header, its record and its place in the list.
CHUNK_OVERHEAD_BYTES: Final = 160
#: What a resident session costs beside its events: key, record, dictionary entry, title and folder.
SESSION_OVERHEAD_BYTES: Final = 1 * KIB
#: Events of another process that are fetched one after the other; of more, the session is loaded anew.
CATCH_UP_EVENTS_MAX: Final = 1000

# --- Journal ---------------------------------------------------------------------------------------------
#: SQLite's page cache; counted in the process' footprint.
JOURNAL_CACHE_BYTES: Final = 4 * MIB
#: So much is logged before the log is copied into the database beside the work; in line only from so many pages of
#: `JOURNAL_PAGE_BYTES` on (128 MiB: a flood; each time writers wait 10 to 60 ms, so that it must be rare).
JOURNAL_CHECKPOINT_BYTES: Final = 4 * MIB
JOURNAL_PAGE_BYTES: Final = 8 * KIB
JOURNAL_WAL_PAGES_MAX: Final = 16_384
#: The write-ahead log is cut back to this after it grew.
JOURNAL_WAL_BYTES_MAX: Final = 64 * MIB
#: How long a process waits for another's transaction; one that dies lets go at once. The wait is made of steps: SQLite's
#: own wait cannot be ended by a signal.
JOURNAL_BUSY_MS: Final = 5_000
JOURNAL_BUSY_STEP_MS: Final = 50
#: How long a process waits while another opens, migrates or recovers.
JOURNAL_OPEN_SECONDS_MAX: Final = 60
#: Events of one append lie together in rows of at most this size (or one event).
JOURNAL_CHUNK_BYTES: Final = 256 * KIB
#: Rows in memory at a time while a session streams: so many of the usual size, or as many bytes.
JOURNAL_READ_CHUNKS: Final = 8
#: What reading a row takes: SQLite's copy and ours.
JOURNAL_ROW_COST: Final = 2
JOURNAL_PROBLEMS_MAX: Final = 1000
#: Commands that wait for an earlier command of another process look again after this time, doubled up to the maximum.
OTHERS_COMMANDS_SECONDS_MIN: Final = 0.02
OTHERS_COMMANDS_SECONDS_MAX: Final = 1.0
#: `kato clean` holds the lock for about this long, or for so many pages, and then pauses for longer than another process
#: that waits for the lock sleeps between two tries (SQLite: at most 0.1 s).
JOURNAL_HOLD_SECONDS: Final = 0.25
JOURNAL_HOLD_PAGES: Final = 4096
JOURNAL_TURN_SECONDS: Final = 0.11
#: Up to this size `kato clean` rewrites the journal while other processes wait: for less than `JOURNAL_BUSY_MS` (measured:
#: 880 MB in 2.5 s, in 6.5 s on a busy machine).
JOURNAL_REWRITE_BYTES_MAX: Final = 512 * MIB
#: No temporary file of a process that runs is older.
TEMPORARY_SECONDS_MAX: Final = 3600

# --- Session logs ------------------------------------------------------------------------------------------
#: One line of a log is decoded at once; a longer one is passed over and counted. Pictures of some MB occur inside.
LOG_LINE_BYTES_MAX: Final = 16 * MIB
#: Records on one line: two or three where a program crashed. A line of more is not a line of records.
LOG_LINE_RECORDS_MAX: Final = 256
#: Places of a damaged line from which reading is tried again. A record that was torn holds some dozens.
LOG_LINE_TRIES_MAX: Final = 64
#: Lines that one string with raw line breaks may span (a page that a tool fetched).
LOG_JOINED_LINES_MAX: Final = 8192
#: Events that wait until the log gives its first time: a log's first records have theirs.
LOG_UNDATED_EVENTS_MAX: Final = 64
#: What keeping the events of a large line takes beside reading it, in times its bytes: their lines, and SQLite's copy.
LOG_LARGE_COST: Final = 2
#: A log that is one JSON document.
LOG_DOCUMENT_BYTES_MAX: Final = 32 * MIB
#: Maximum bytes stored for a record of an unknown kind.
LOG_UNKNOWN_BYTES_MAX: Final = 4 * KIB
#: Unknown kinds of one log that are counted by name; a format has some dozens of kinds.
LOG_UNKNOWN_KINDS_MAX: Final = 256
#: Bytes of a log that are read before others get their turn.
LOG_READ_BYTES: Final = 256 * KIB
#: A small file beside a log (a name, a folder, an index of names).
LOG_COMPANION_BYTES_MAX: Final = 4 * MIB
#: A log that did not change for so long is over: an answer without an end was cut off.
LOG_ABANDONED_MS: Final = 10 * 60 * 1000
#: Of a long log, so much is searched from its end for the line that names its session (1 GB/s).
LOG_TITLE_BYTES_MAX: Final = 256 * MIB
#: Logs that are known by name, size and time, or wait to be read; of more, the newest.
LOGS_MAX: Final = 50_000
#: Sessions of one log (its own and its sub-agents') whose titles and folders are remembered as handed over.
LOG_SESSIONS_MAX: Final = 4096
#: Kinds of problems in logs that are counted and logged; further kinds are not (`kato doctor` shows all).
LOG_PROBLEMS_MAX: Final = 1000
#: Paths that could not be read and are counted; of more, the newest.
LOG_UNREADABLE_MAX: Final = 1000
#: Bytes of a log's beginning and before its last position, by which a log that was replaced is recognised.
LOG_COMPARED_BYTES: Final = 1024
#: Logs that are under way at once; of more, those that changed last.
TAILS_MAX: Final = 64
#: At the start, sessions that changed in this time are read; older ones when they change.
LOG_RECENT_SECONDS: Final = 24 * 3600
#: A command that was typed this long before the start still runs, if its session was known then.
COMMAND_GRACE_MS: Final = 10 * 60 * 1000
#: The wall clock was set when it moved by this much more or less than the monotonic one; NTP slews by 0.5 ms a second at most.
CLOCK_STEP_MS: Final = 1000
#: What is dated later than this after now was dated by a clock that was ahead. Machines that share a home differ by less.
CLOCK_SKEW_MS: Final = 60 * 1000
#: Spans between settings of the clock that are kept apart; what was typed in older ones was read long ago.
CLOCK_SPANS_MAX: Final = 16
#: Of logs whose readers hold all of their content (a state that is changed in place), so much is open at once; decoded it
#: takes this many times its size (measured: 5 to 6).
LOG_HELD_BYTES_MAX: Final = 8 * MIB
LOG_HELD_COST: Final = 6
#: Of a session that was known, so many events are looked at for a text that was shorter then: a reply has some dozens.
LOG_RESUMED_EVENTS: Final = 64
#: Where no folder is open, so long a session is left to a window that has its folder open.
LOG_PATIENCE_SECONDS: Final = 1.0
#: A log that was quiet for this long is complete for now.
LOG_SETTLE_SECONDS: Final = 0.25
#: Logs that changed in the last minutes are looked at this often, whoever tells of changes or not; in the last seconds,
#: so that a line is in the note before the next one is written, more often than the watcher wakes.
LOG_ACTIVE_SECONDS: Final = 600
LOG_LOOK_SECONDS: Final = 0.5
LOG_QUICK_SECONDS: Final = 10
LOG_QUICK_LOOK_SECONDS: Final = 0.03
LOG_WATCH_STEP_MS: Final = 150
#: The watcher's thread returns to Python this often while nothing changes.
LOG_WATCH_WAIT_MS: Final = 30_000
#: The kernel queues at most `max_queued_events` (16,384) events of some 50 bytes: one read takes a whole queue.
LOG_WATCH_QUEUE_BYTES: Final = 1 * MIB
#: A tree is watched a moment after it was asked for: scans after these times find what was made in that moment.
LOG_WATCH_START_SECONDS: Final = (0.5, 2.0)
#: Changes that the system reports are gathered this long: a program that writes lines without pause is read 50 times a second.
LOG_GATHER_SECONDS: Final = 0.02
#: Folders that can hold logs and are watched and looked at; a watch takes about 1 kB of the kernel's memory.
LOG_FOLDERS_MAX: Final = 16_384
#: The first scan leaves the start to the client's first requests.
LOG_FIRST_SCAN_SECONDS: Final = 0.05
#: After the system dropped changes, all roots are listed; not sooner, as it may drop more.
LOG_OVERFLOW_SCAN_SECONDS: Final = 1.0
#: A scan that is due while folders are listed waits this long.
LOG_BUSY_SCAN_SECONDS: Final = 1.0
#: All roots are listed this often, or less often where that takes long (a share of the time), but not less often than that.
LOG_SCAN_SECONDS: Final = 20
LOG_SCAN_SHARE: Final = 0.0002
LOG_SCAN_SECONDS_MAX: Final = 300
#: Listing holds the loop for this long at a time; so many logs or folders are listed between two looks at the clock.
LOG_PIECE_SECONDS: Final = 0.01
LOG_PIECE_LOGS: Final = 64
#: The folders' times are looked at this often, for folders that the system reports nothing about (a network's) or that are
#: not there yet; less often where that takes long, as above.
LOG_FOLDERS_SECONDS: Final = 3.0
LOG_FOLDERS_SECONDS_MAX: Final = 20
#: The same, and the scan's bounds, where the watcher failed: a new session is found within two seconds.
LOG_BLIND_FOLDERS_SECONDS: Final = 1.0
LOG_BLIND_SCAN_SECONDS: Final = 5
LOG_BLIND_SCAN_SECONDS_MAX: Final = 60
LOG_BLIND_SHARE: Final = 0.02
#: Folders with sessions of this window: where the watcher failed, all logs in them are looked at.
LOG_BLIND_FOLDERS_MAX: Final = 64
#: A folder that changed less than this ago may change again without a later time (FAT counts in two seconds).
LOG_FOLDER_SETTLED_MS: Final = 2000
#: So much of a log is read and waits until it tells which folder its session belongs to.
LOG_FOLDERLESS_BYTES_MAX: Final = 4 * MIB
#: A log that is quiet and has told so many events without a folder tells none.
LOG_FOLDERLESS_EVENTS_MAX: Final = 100

# --- Wire -----------------------------------------------------------------------------------------------
#: One header line of an LSP frame; the longest real one is about 60 bytes.
HEADER_LINE_BYTES_MAX: Final = 4 * KIB
#: A read from the client, and how much is read before what it held is committed and answered: also how far a request
#: can wait behind bytes that are already in the process. A commit costs about seven pages whatever it holds.
READ_BYTES: Final = 64 * KIB
READ_ROUND_BYTES: Final = 128 * KIB
#: Answers that the client does not read: beyond this the server handles no message of it.
OUTGOING_BYTES_MAX: Final = 4 * MIB
#: Beyond this, notifications are not sent: one request or one line of a log can cause many.
UNREAD_NOTIFICATIONS_BYTES_MAX: Final = 2 * OUTGOING_BYTES_MAX
#: How long a client that ends may read nothing before its answers are given up: within the two seconds of the end.
UNREAD_SECONDS_MAX: Final = 1.0
#: What one answer holds of a list: events of a session, sessions of a status. More is asked for with further requests.
PAGE_BYTES_MAX: Final = 2 * MIB
#: What sending a single event that is larger takes: a copy as it is encoded, and one that waits for the client.
PAGE_COST: Final = 2
#: orjson gives up at this depth of nesting when it writes (its own limit; 255 fails).
JSON_DEPTH_MAX: Final = 254
READ_SESSION_LIMIT_DEFAULT: Final = 200
READ_SESSION_LIMIT_MAX: Final = 1000
#: Work that takes longer than this is told of with `$/progress`, this often.
PROGRESS_AFTER_SECONDS: Final = 1.0
PROGRESS_EVERY_SECONDS: Final = 0.25
#: A session shown read-only in the editor; more would make the editor slow, not the server.
RENDERED_BYTES_MAX: Final = 2 * MIB
#: What sending it takes: its bytes, joined, as text of wide characters, as JSON.
RENDERED_COST: Final = 8

# --- Model ----------------------------------------------------------------------------------------------
#: Identifiers: event, session, provider, turn, tool call. Real ones have at most 120 characters.
ID_CHARS_MAX: Final = 512
TITLE_CHARS_MAX: Final = 60
#: Lines that are looked at for a title: those before it are commands, and a mistyped one takes 40 µs to judge.
TITLE_LINES_MAX: Final = 32
#: A session is stale when its last message is older than this (wire contract).
STALE_AFTER_MS: Final = 5 * 60 * 1000
#: Commands in one message beyond this are reported and not run: nobody types them, a loop does.
COMMANDS_PER_MESSAGE_MAX: Final = 32
#: The same for the messages of one request, or of one piece of a log.
COMMANDS_PER_APPEND_MAX: Final = 1000
#: Commands of one message that is not proven to be typed, reported one by one; the last report counts the rest. Hostile
#: text can hold thousands, and each report interrupts the user.
DOUBTFUL_COMMANDS_MAX: Final = 4
#: The reason for a doubt, in a report.
DOUBT_CHARS_MAX: Final = 200
#: Lines of a message that look like commands and are examined.
COMMAND_LINES_MAX: Final = 1024
#: Lines of a message that begin with `::` and another word: so many are compared with the commands' names, at 40 µs each.
#: A message that holds more is code.
OTHER_WORDS_MAX: Final = 256
PATH_CHARS_MAX: Final = 4096

# --- Transcript -----------------------------------------------------------------------------------------
#: End tags that are written behind a message that leaves elements open.
OPEN_ELEMENTS_MAX: Final = 64

# --- The end --------------------------------------------------------------------------------------------
#: From the first sign of the end (a signal, the end of input, `exit`) the process takes at most this long: editors wait
#: about two seconds before they kill. Everything acknowledged is safe by then, so that being cut off loses nothing.
END_SECONDS_MAX: Final = 1.8
#: Within that: how long all waits for the journal's lock take together, and how long a slow client is written to.
END_LOCK_SECONDS_MAX: Final = 0.5
END_DRAIN_SECONDS_MAX: Final = 1.0

# --- Status ---------------------------------------------------------------------------------------------
#: Changes are told to the client at most this often; the contract asks for "within a second".
STATUS_COALESCE_SECONDS: Final = 0.5
#: Sessions in a status that was not asked for and in the status file. A client that shows more asks for them.
STATUS_NEWS_SESSIONS_MAX: Final = 200
#: Sessions of which a status is made at most; `PAGE_BYTES_MAX` holds some 8,000.
STATUS_SESSIONS_MAX: Final = 10_000
#: Counts over all sessions take at most this share of a core.
COUNTING_SHARE: Final = 0.02
#: A count that takes no longer than this is taken each time.
COUNTING_SECONDS_FREE: Final = 0.002

#: A status file that is read; one that lists 50,000 sessions has 39 MiB.
STATUS_FILE_BYTES_MAX: Final = 64 * MIB

# --- Texts for people -----------------------------------------------------------------------------------
#: One line of the log or of the terminal, a notice, an error's message: two paths and a sentence.
MESSAGE_CHARS_MAX: Final = 10_000

# --- Logs -----------------------------------------------------------------------------------------------
#: Each process has a log file of its own, and keeps one older piece of it.
LOG_FILE_BYTES_MAX: Final = 2 * MIB
LOG_FILES_MAX: Final = 1
#: Of processes that ended, at most this many files are kept, the newest.
ENDED_LOGS_MAX: Final = 10
ENDED_STATUS_FILES_MAX: Final = 20
AUDIT_FILE_BYTES_MAX: Final = 4 * MIB

# --- Writer ---------------------------------------------------------------------------------------------
#: Transcripts are rendered and written in pieces of about this size, however long the conversation is.
WRITE_PIECE_BYTES: Final = 256 * KIB
#: The frontmatter of a note that is adopted; a longer one is no frontmatter.
FRONTMATTER_BYTES_MAX: Final = 256 * KIB
BACKUPS_PER_NAME_MAX: Final = 1000
#: Bytes of a note's name that stay in the names of its temporary files and copies. File systems allow 255 bytes a name,
#: eCryptfs 143; a mark or a time and an ending are added (at most 60 bytes).
TEMPORARY_NAME_BYTES: Final = 60
#: How much of a note's end is read to see what is left of what Kato wrote, how many of its lines are remembered, and how
#: much Kato writes before it looks again: an older version of the note that an editor saved can lack at most so much for
#: Kato to find all that is missing. Comparing takes about 0.1 s for this much.
LOOK_TEXT_BYTES: Final = 1 * MIB
LOOK_CONTEXT_LINES: Final = 256
LOOK_CONTEXT_BYTES: Final = 32 * KIB
LOOK_WRITTEN_BYTES_MAX: Final = 256 * KIB
#: A temporary file whose process cannot be seen from here (another machine, another container) is removed when it has
#: not changed for this long; a note is written within seconds.
FOREIGN_LEFTOVER_SECONDS: Final = 3600
#: Notes that are remembered as unchanged, so that a heartbeat passes over them.
NOTES_SEEN_MAX: Final = 10_000
#: Two changes within this time may leave the same time of change: 2 s on FAT, 10 ms on others.
MTIME_GRAIN_NS: Final = 2_000_000_000
#: Folders that are remembered as free of temporary files.
SWEPT_FOLDERS_MAX: Final = 1000

# --- Notes in editors -----------------------------------------------------------------------------------
#: Open documents of which an editor's changes are followed; a window has some dozens. Others are written on disk.
OPEN_DOCUMENTS_MAX: Final = 1000
#: An edit that the editor did not answer by then is asked for again; VS Code takes as long to save a note that a formatter formats.
EDIT_ANSWER_SECONDS: Final = 10.0
#: Refusals of an edit in a row after which the user is notified: the first ones come from keys that are typed just then.
EDIT_REFUSALS_MAX: Final = 3
#: How long a note that a dead process' editor held is left alone: an editor that restarts brings its unsaved text back.
HOLD_GRACE_MS: Final = 30_000
#: How far from its end a note is searched for what the editor saved: first a little, then more.
HELD_TEXT_BYTES: Final = 128 * KIB
HELD_TEXT_BYTES_MAX: Final = 2 * MIB
#: A missing note is reported after this long: editors that save by renaming leave a gap of milliseconds.
NOTE_MISSING_GRACE_MS: Final = 1000
#: Notes of a folder whose beginnings are read to find one that was renamed.
MOVED_NOTES_MAX: Final = 500
MOVED_NOTE_HEAD_BYTES: Final = 16 * KIB

# --- Channels -------------------------------------------------------------------------------------------
#: Text of a conversation in an answer to an assistant, by default and at most, and an answer as a whole.
MCP_TEXT_BYTES_DEFAULT: Final = 12 * KIB
MCP_TEXT_BYTES_MAX: Final = 32 * KIB
MCP_ANSWER_BYTES_MAX: Final = 48 * KIB
#: A request on the local socket: a prompt with commands in it. Longer prompts are left to the session's log.
LOCAL_REQUEST_BYTES_MAX: Final = 1 * MIB
LOCAL_REQUEST_SECONDS_MAX: Final = 2.0
LOCAL_CONNECTIONS_MAX: Final = 16
#: How long a request waits for the session's log to be read to its end.
LOCAL_READ_SECONDS_MAX: Final = 0.3
#: Prompts that hooks reported, and how long one is compared with what the session's log brings.
TYPED_PROMPTS_MAX: Final = 64
TYPED_PROMPT_SECONDS_MAX: Final = 600.0

assert 2 * (LOOK_WRITTEN_BYTES_MAX + WRITE_PIECE_BYTES) <= LOOK_TEXT_BYTES
assert READ_BYTES <= READ_ROUND_BYTES < MESSAGE_MB_MAX_DEFAULT * MIB
assert CHUNK_BYTES < SNAPSHOT_BUDGET_BYTES_MIN // 64
assert SNAPSHOT_BUDGET_BYTES_MIN < DAEMON_MAX_MEMORY_MB_DEFAULT * MIB
assert 0 < WORKING_RESERVE_SHARE < 1
# A page is read, encoded and queued behind what waits already.
assert OUTGOING_BYTES_MAX + 3 * PAGE_BYTES_MAX <= WORKING_RESERVE_BYTES_MIN
assert STATUS_NEWS_SESSIONS_MAX <= STATUS_SESSIONS_MAX
assert READ_SESSION_LIMIT_DEFAULT <= READ_SESSION_LIMIT_MAX
assert STATUS_COALESCE_SECONDS < 1
assert END_LOCK_SECONDS_MAX + END_DRAIN_SECONDS_MAX < END_SECONDS_MAX
assert UNREAD_SECONDS_MAX < END_SECONDS_MAX
assert JOURNAL_BUSY_STEP_MS / 1000 < END_LOCK_SECONDS_MAX / 2
assert 2 * PATH_CHARS_MAX < MESSAGE_CHARS_MAX
