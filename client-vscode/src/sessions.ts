// A conversation as lists show it, from what the server holds (status) and from the catalogue of journal and logs. Pure.

import type { ConversationSummary, ParentStatus, RecordingStatus, SessionParams, SessionStatus } from "./structs";
import { ago, bytes, count } from "./text";

export interface Conversation extends SessionParams {
  title: string;
  cwd?: string;
  /** The moment of the last message. */
  at: string;
  /** Events of the conversation; unknown while only its log has it. */
  events?: number;
  /** In memory; of the log where only a log has the conversation. */
  bytes: number;
  place: "memory" | "journal" | "log";
  /** Its log was deleted: only Kato's journal has it. */
  isDeleted: boolean;
  /** The note that records it, or recorded it. */
  recording?: RecordingStatus;
  parent?: ParentStatus;
  /** Why Kato keeps nothing of it now. */
  notKept?: NonNullable<SessionStatus["notKept"]>;
}

/** Names a session; a provider's name holds no slash. */
export function keyOf(key: SessionParams): string {
  return `${key.provider}/${key.sessionId}`;
}

export function titleOf(session: { title?: string; snippet?: string; sessionId: string }): string {
  return session.title ?? session.snippet ?? session.sessionId;
}

export function isRecording({ recording }: { recording?: RecordingStatus }): boolean {
  return recording?.active === true;
}

/** What the server holds, and all that the catalogue lists, each once. */
export function merged(statuses: readonly SessionStatus[], summaries: readonly ConversationSummary[]): Conversation[] {
  const listed = new Map(summaries.map((summary) => [keyOf(summary), summary]));
  const held = statuses.map((status) => {
    const key = keyOf(status);
    const summary = listed.get(key);
    listed.delete(key);
    return ofStatus(status, summary);
  });
  return [...held, ...[...listed.values()].map(ofSummary)];
}

export function ofStatus(status: SessionStatus, summary?: ConversationSummary): Conversation {
  const { provider, sessionId, recording, parent } = status;
  const cwd = status.cwd ?? summary?.cwd;
  const notKept = status.notKept ?? summary?.notKept;
  return {
    provider,
    sessionId,
    title: status.title ?? summary?.title ?? titleOf(status),
    at: latest(status.lastMessageAt ?? status.updatedAt, summary?.updatedAt),
    events: status.eventCount + status.truncatedEvents,
    bytes: status.estimatedBytes,
    place: status.resident ? "memory" : "journal",
    isDeleted: summary?.gonePath !== undefined,
    ...(cwd === undefined ? {} : { cwd }),
    ...(recording === undefined ? {} : { recording }),
    ...(parent === undefined ? {} : { parent }),
    ...(notKept === undefined ? {} : { notKept }),
  };
}

function ofSummary(summary: ConversationSummary): Conversation {
  const { provider, sessionId, cwd, parentId, notKept } = summary;
  return {
    provider,
    sessionId,
    title: titleOf(summary),
    at: summary.updatedAt,
    bytes: summary.sizeBytes,
    place: summary.extent === "log" ? "log" : "journal",
    isDeleted: summary.gonePath !== undefined,
    ...(cwd === undefined ? {} : { cwd }),
    ...(parentId === undefined ? {} : { parent: { sessionId: parentId } }),
    ...(notKept === undefined ? {} : { notKept }),
  };
}

function latest(one: string, other: string | undefined): string {
  return other !== undefined && Date.parse(other) > Date.parse(one) ? other : one;
}

/** The conversations of a window with these folders. One without a folder belongs to every window; a window without folders shows all. */
export function ofWorkspace<T extends { cwd?: string }>(sessions: readonly T[], folders: readonly string[]): T[] {
  return sessions.filter(
    ({ cwd }) => folders.length === 0 || cwd === undefined || folders.some((folder) => isInside(cwd, folder)),
  );
}

/** The folder among these that holds a path: the innermost one. */
export function folderOf(path: string | undefined, folders: readonly string[]): string | undefined {
  const holding = folders.filter((folder) => path !== undefined && isInside(path, folder));
  return holding.sort((a, b) => b.length - a.length)[0];
}

function isInside(path: string, folder: string): boolean {
  const [inner, outer] = [normalised(path), normalised(folder)];
  return inner === outer || inner.startsWith(`${outer}/`);
}

function normalised(path: string): string {
  const forward = path.replace(/\\/g, "/").replace(/\/+$/, "");
  return /^[A-Za-z]:/.test(forward) ? forward.toLowerCase() : forward;
}

/** The last name of a path. */
export function nameOfFolder(path: string): string {
  return /[^\\/]+(?=[\\/]*$)/.exec(path)?.[0] ?? path;
}

/** The conversations to choose from, most recent first, without those of sub-agents: they belong to their parents. */
export function forPicking(conversations: readonly Conversation[]): Conversation[] {
  return byTime(conversations.filter(({ parent }) => parent === undefined));
}

export function byTime(conversations: readonly Conversation[]): Conversation[] {
  const time = ({ at }: Conversation): number => Date.parse(at) || 0;
  return [...conversations].sort((a, b) => time(b) - time(a) || keyOf(a).localeCompare(keyOf(b)));
}

/** The text under the title in a list to choose from: age, where it is, events, recording. */
export function describe(conversation: Conversation, now: number): string {
  return joined([
    ago(conversation.at, now),
    placeOf(conversation),
    conversation.events === undefined ? "" : count(conversation.events, "event"),
    isRecording(conversation) ? "recording" : "",
    conversation.isDeleted ? "log deleted" : "",
    conversation.notKept === undefined ? "" : "not kept",
  ]);
}

function placeOf({ place, bytes: size }: Conversation): string {
  return { memory: bytes(size), journal: "in the journal", log: `only in its log (${bytes(size)})` }[place];
}

export function joined(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join(" · ");
}

/** The model that answered last among these events. */
export function lastModel(events: readonly Record<string, unknown>[]): string | undefined {
  const models = events.map(({ model }) => model).filter((model): model is string => typeof model === "string");
  return models.at(-1);
}
