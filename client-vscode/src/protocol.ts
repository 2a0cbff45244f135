// The methods, commands and codes of the wire contract (docs/protocol.md), each declared once with its types. A test compares
// them with contract.json, which the server's build writes.

import { NotificationType, RequestType, RequestType0 } from "vscode-languageserver-protocol";
import type {
  AppendAnswer,
  AppendParams,
  CommandOutcome,
  CommandParams,
  ConversationList,
  Destination,
  DestinationParams,
  DocumentDirtyParams,
  MemoryStatus,
  Notice,
  ReadSessionParams,
  RenderedSession,
  RenderParams,
  SearchParams,
  SearchResult,
  SessionEvents,
  SessionsParams,
  StatusParams,
  StatusSnapshot,
} from "./structs";

export const AppendEvents = new RequestType<AppendParams, AppendAnswer, void>("kato/appendEvents");
export const Memory = new RequestType0<MemoryStatus, void>("kato/memory");
export const Status = new RequestType<StatusParams, StatusSnapshot, void>("kato/status");
export const RenderSession = new RequestType<RenderParams, RenderedSession, void>("kato/renderSession");
export const ReadSession = new RequestType<ReadSessionParams, SessionEvents, void>("kato/readSession");
export const Sessions = new RequestType<SessionsParams, ConversationList, void>("kato/sessions");
export const Search = new RequestType<SearchParams, SearchResult, void>("kato/search");
export const FindDestination = new RequestType<DestinationParams, Destination, void>("kato/destination");
export const DocumentDirty = new NotificationType<DocumentDirtyParams>("kato/documentDirty");
export const StatusChanged = new NotificationType<StatusSnapshot>("kato/statusChanged");
export const CommandExecuted = new NotificationType<CommandOutcome>("kato/commandExecuted");
export const NoticeSent = new NotificationType<Notice>("kato/notice");

/** LSP's own request, with the parameters and the answer that Kato's commands have. */
export const ExecuteCommand = new RequestType<{ command: CommandId; arguments: [CommandParams] }, CommandOutcome, void>(
  "workspace/executeCommand",
);
/** LSP's own notification, with Kato's settings. */
export const SettingsChanged = new NotificationType<{ settings: { kato: Record<string, unknown> } }>(
  "workspace/didChangeConfiguration",
);

export const COMMAND_NAMES = ["init", "record", "capture", "export", "stop", "off", "on"] as const;
export type CommandName = (typeof COMMAND_NAMES)[number];
export type CommandId = `kato.${CommandName}`;

/** The command of this name, as a request's parameters. */
export function commandParams(
  name: CommandName,
  params: CommandParams,
): { command: CommandId; arguments: [CommandParams] } {
  return { command: `kato.${name}`, arguments: [params] };
}

/** Whether a name in an outcome is that of a command which this client can run. */
export function isCommandName(name: string): name is CommandName {
  return (COMMAND_NAMES as readonly string[]).includes(name);
}

/** The kinds of notices that this client treats in their own way. */
export const NoticeKind = {
  commandFailed: "command_failed",
  commandNotRun: "command_not_run",
  journalLost: "journal_lost",
  journalRecovered: "journal_recovered",
  limitNotKept: "limit_not_kept",
  noteMissing: "note_missing",
  noteRepaired: "note_repaired",
  overBudget: "over_budget",
  recordingPaused: "recording_paused",
  recordingResumed: "recording_resumed",
  recordingStopped: "recording_stopped",
  restartNeeded: "restart_needed",
  settingsRejected: "settings_rejected",
  textBackedUp: "text_backed_up",
} as const;

/** The data of an error that rejects a setting, and of a notice that does. */
export interface SettingFault {
  key: string;
  rule: string;
  got: unknown;
}

/** The setting that was rejected, if that is what the data of an error or a notice describe. */
export function settingFault(data: unknown): SettingFault | undefined {
  const { key, rule, got } = (data ?? {}) as Partial<SettingFault>;
  return typeof key === "string" && typeof rule === "string" ? { key, rule, got } : undefined;
}

/** What this client announces in `initialize` beyond LSP. */
export const EXPERIMENTAL = { katoNotice: true, katoDocuments: true } as const;

export const ExitCode = { overBudget: 70, invalidConfiguration: 78 } as const;
