// The shapes of the wire contract (docs/protocol.md) that this client reads or writes. Types only: other extensions get this
// file with api.d.ts. A test compares each interface with the struct of the same name in contract.json.

export interface SessionParams {
  provider: string;
  sessionId: string;
}

export interface RecordingStatus {
  recordingId: string;
  outputPath: string;
  active: boolean;
  startedAt: string;
  lastWriteAt?: string;
}

/** The session, and if known the tool call, that started a sub-agent's session. */
export interface ParentStatus {
  sessionId: string;
  toolCallId?: string;
}

export interface SessionStatus extends SessionParams {
  title?: string;
  snippet?: string;
  cwd?: string;
  eventCount: number;
  truncatedEvents: number;
  estimatedBytes: number;
  resident: boolean;
  updatedAt: string;
  lastMessageAt?: string;
  stale: boolean;
  recording?: RecordingStatus;
  parent?: ParentStatus;
  /** Why nothing of the session is kept now: the user switched it off, or a `.katoignore` file keeps its folder out. */
  notKept?: "ignored" | "off";
}

/** Bytes. */
export interface ProcessMemory {
  rss: number;
  uss: number | null;
  vms: number;
  peakRss: number;
}

export interface SnapshotStats {
  budgetBytes: number;
  estimatedBytes: number;
  sessionCount: number;
  eventCount: number;
  evictionsTotal: number;
  bytesReclaimedTotal: number;
  evictionsByReason: Record<string, number>;
  overBudget: boolean;
}

export interface JournalStats {
  bytes: number;
  sessionCount: number;
  eventCount: number;
}

export interface MemoryStatus {
  daemonMaxMemoryBytes: number;
  process: ProcessMemory;
  snapshots: SnapshotStats;
  journal: JournalStats | null;
  /** False: the process cannot keep the limit, which bounds the snapshots alone. An older server does not have it. */
  wholeProcess?: boolean;
  /** The smallest limit that the process can keep. */
  smallestLimitBytes?: number;
}

/** `title` is the assistant's name for people; a server gives none for an assistant that it does not know. */
export interface ProviderStatus {
  provider: string;
  title?: string;
  activeSessions: number;
  lastMessageAt?: string;
}

export interface RecordingsStatus {
  activeRecordings: number;
  destinations: number;
}

export interface StatusSnapshot {
  schemaVersion: number;
  version: string;
  generatedAt: string;
  heartbeatAt: string;
  daemonRunning: boolean;
  daemonPid: number;
  startedAt: string;
  providers: ProviderStatus[];
  recordings: RecordingsStatus;
  recordingsDir: string;
  sessions: SessionStatus[];
  omittedSessions: number;
  memory: MemoryStatus;
}

/** What a command of `workspace/executeCommand` takes. */
export interface CommandParams extends SessionParams {
  path?: string;
  format?: "markdown" | "jsonl";
}

/** `rule` names what a client can cure: `outside` the allowed folders, `unsaved` in the editor. */
export interface OutcomeError {
  code: number;
  message: string;
  path?: string;
  rule?: string;
}

export interface CommandOutcome extends SessionParams {
  command: string;
  eventId?: string;
  line?: number;
  origin: "chat" | "editor";
  status: "ok" | "noop" | "error";
  outputPath?: string;
  backupPath?: string;
  recordingId?: string;
  eventsWritten?: number;
  /** How many secrets the file shows masked. */
  redactions?: number;
  /** A sentence for the user, where the command changes what is kept. */
  message?: string;
  error?: OutcomeError;
}

/** What the user must know, instead of `window/showMessage`. A later server may send kinds that this client does not know. */
export interface Notice {
  kind: string;
  severity: "error" | "warning" | "info";
  message: string;
  data?: Record<string, unknown>;
}

/** Asks where a capture without a path would write; with a format, where an export may go; with a path, whether Kato may write there. */
export interface DestinationParams extends SessionParams {
  format?: "markdown" | "jsonl";
  path?: string;
}

export interface Destination {
  path: string;
  error?: OutcomeError;
}

/** The conversations of the workspace, or of a folder; `after` passes over that many of the newest. */
export interface SessionsParams {
  folder?: string;
  limit?: number;
  after?: number;
}

export interface ConversationSummary extends SessionParams {
  updatedAt: string;
  sizeBytes: number;
  extent: "kept" | "log" | "log_gone" | "partial";
  title?: string;
  cwd?: string;
  startedAt?: string;
  parentId?: string;
  path?: string;
  /** Where the log was, of a conversation whose log was deleted. */
  gonePath?: string;
  notKept?: "ignored" | "off";
}

export interface ConversationList {
  sessions: ConversationSummary[];
  more: boolean;
  /** The names of their assistants, by provider. */
  titles?: Record<string, string>;
}

export interface SearchParams {
  query: string;
  folder?: string;
  limit?: number;
}

export interface Mark {
  start: number;
  end: number;
}

/** A message that a query found; `seq` is its number in the session. */
export interface SearchHit extends SessionParams {
  seq: number;
  role: "assistant" | "other" | "tools" | "user";
  snippet: string;
  marks: Mark[];
  timestamp: string;
  score: number;
  source: "journal" | "log";
  title?: string;
  cwd?: string;
}

export interface SearchResult {
  hits: SearchHit[];
  complete: boolean;
  /** The names of the hits' assistants, by provider. */
  titles?: Record<string, string>;
}

export interface ReadSessionParams extends SessionParams {
  after?: number;
  limit?: number;
}

export interface SessionEvents {
  events: Record<string, unknown>[];
  nextAfter: number | null;
  total: number;
}

export interface AppendParams extends SessionParams {
  events: Record<string, unknown>[];
  title?: string;
  cwd?: string;
  replay?: boolean;
}

export interface AppendAnswer {
  accepted: number;
  duplicates: number;
  eventCount: number;
  truncatedEvents: number;
  commands: CommandOutcome[];
}

export interface StatusParams {
  includeStale?: boolean;
  limit?: number;
}

/** A transcript; with `around`, the part of it around the event of that number. */
export interface RenderParams extends SessionParams {
  around?: number;
  maxBytes?: number;
  asPage?: boolean;
}

export interface RenderedSession {
  markdown: string;
  truncated: boolean;
  truncatedBefore?: boolean;
  line?: number;
}

export interface DocumentDirtyParams {
  uri: string;
  dirty: boolean;
}
