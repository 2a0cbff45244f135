// The wire contract as this client sees it (docs/protocol.md): names and types only.

export interface SessionKey {
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

export interface SessionStatus extends SessionKey {
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
  parent?: { sessionId: string; toolCallId?: string };
}

export interface MemoryStatus {
  daemonMaxMemoryBytes: number;
  process: { rss: number; uss: number | null; vms: number; peakRss: number };
  snapshots: {
    budgetBytes: number;
    estimatedBytes: number;
    sessionCount: number;
    eventCount: number;
    evictionsTotal: number;
    bytesReclaimedTotal: number;
    evictionsByReason: Record<string, number>;
    overBudget: boolean;
  };
  journal: { bytes: number; sessionCount: number; eventCount: number } | null;
}

export interface StatusSnapshot {
  schemaVersion: number;
  version: string;
  generatedAt: string;
  heartbeatAt: string;
  daemonRunning: boolean;
  daemonPid: number;
  startedAt: string;
  providers: { provider: string; activeSessions: number; lastMessageAt?: string; title?: string }[];
  recordings: { activeRecordings: number; destinations: number };
  recordingsDir: string;
  sessions: SessionStatus[];
  omittedSessions?: number;
  memory: MemoryStatus;
}

export type CommandName = "init" | "record" | "capture" | "export" | "stop";

export interface CommandOutcome extends SessionKey {
  command: string;
  eventId?: string;
  line?: number;
  origin: "chat" | "editor";
  status: "ok" | "noop" | "error";
  outputPath?: string;
  backupPath?: string;
  recordingId?: string;
  eventsWritten?: number;
  /** Secrets that the file shows as `[redacted: kind]`. */
  redactions?: number;
  /** `rule` says what a client can cure: `outside` the allowed folders, `unsaved` in the editor. */
  error?: { code: number; message: string; path?: string; rule?: string };
}

/** What the user must know, instead of `window/showMessage`. */
export interface Notice {
  kind: string;
  severity: "error" | "warning" | "info";
  message: string;
  data?: Record<string, unknown>;
}

/** Where a capture without a path would write; with a format, where an export may go. */
export interface DestinationParams extends SessionKey {
  format?: "markdown" | "jsonl";
}

export interface AppendParams extends SessionKey {
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

export interface RenderedSession {
  markdown: string;
  truncated: boolean;
}

/** What `initialize` answers with when a setting is wrong. */
export interface SettingFault {
  key: string;
  rule: string;
  got: unknown;
}

export const Method = {
  appendEvents: "kato/appendEvents",
  memory: "kato/memory",
  status: "kato/status",
  renderSession: "kato/renderSession",
  executeCommand: "workspace/executeCommand",
  statusChanged: "kato/statusChanged",
  destination: "kato/destination",
  commandExecuted: "kato/commandExecuted",
  notice: "kato/notice",
  documentDirty: "kato/documentDirty",
  showMessage: "window/showMessage",
  applyEdit: "workspace/applyEdit",
  didChangeConfiguration: "workspace/didChangeConfiguration",
} as const;

/** What this client announces in `initialize`. */
export const EXPERIMENTAL = { katoNotice: true, katoDocuments: true } as const;
export const ExitCode = { overBudget: 70, invalidConfiguration: 78 } as const;
