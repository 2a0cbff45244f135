// Which sessions a window shows, in which order and with which texts. Pure.

import type { SessionParams, SessionStatus } from "./structs";
import { age, bytes, count, type NameOf } from "./text";

/** A node of the sessions view; `id` stays the same while its session lives. */
export interface SessionEntry {
  kind: "session";
  id: string;
  session: SessionStatus;
  label: string;
  description: string;
  tooltip: string;
  recording: boolean;
  children: SessionEntry[];
}

export interface AssistantEntry {
  kind: "assistant";
  id: string;
  label: string;
  description: string;
  children: SessionEntry[];
}

export type Entry = AssistantEntry | SessionEntry;

/** Names a session; a provider's name holds no slash. */
export function keyOf(key: SessionParams): string {
  return `${key.provider}/${key.sessionId}`;
}

export function titleOf(session: SessionStatus): string {
  return session.title ?? session.snippet ?? session.sessionId;
}

export function isRecording(session: SessionStatus): boolean {
  return session.recording?.active === true;
}

/** The sessions of a window with these folders. A session without a folder belongs to every window; a window without folders shows all. */
export function ofWorkspace(sessions: readonly SessionStatus[], folders: readonly string[]): SessionStatus[] {
  return sessions.filter(
    ({ cwd }) => folders.length === 0 || cwd === undefined || folders.some((folder) => isInside(cwd, folder)),
  );
}

function isInside(path: string, folder: string): boolean {
  const [inner, outer] = [normalised(path), normalised(folder)];
  return inner === outer || inner.startsWith(`${outer}/`);
}

function normalised(path: string): string {
  const forward = path.replace(/\\/g, "/").replace(/\/+$/, "");
  return /^[A-Za-z]:/.test(forward) ? forward.toLowerCase() : forward;
}

/** The sessions to choose from, most recent first, without those of sub-agents: they belong to their parents. */
export function forPicking(sessions: readonly SessionStatus[]): SessionStatus[] {
  return byTime(sessions.filter(({ parent }) => parent === undefined));
}

/** The tree: assistants, their sessions (most recent first), and below a session its sub-agents'. */
export function tree(sessions: readonly SessionStatus[], now: number, nameOf: NameOf): AssistantEntry[] {
  const children = new Map<string, SessionStatus[]>();
  const present = new Set(sessions.map(keyOf));
  const top: SessionStatus[] = [];
  for (const session of sessions) {
    const parent = session.parent && keyOf({ provider: session.provider, sessionId: session.parent.sessionId });
    if (parent !== undefined && parent !== keyOf(session) && present.has(parent)) {
      children.set(parent, [...(children.get(parent) ?? []), session]);
    } else {
      top.push(session);
    }
  }
  const entry = (session: SessionStatus, depth: number): SessionEntry => ({
    kind: "session",
    id: keyOf(session),
    session,
    label: titleOf(session),
    description: describe(session, now),
    tooltip: explain(session, nameOf),
    recording: isRecording(session),
    children: depth < 8 ? byTime(children.get(keyOf(session)) ?? []).map((child) => entry(child, depth + 1)) : [],
  });
  const providers = new Map<string, SessionStatus[]>();
  for (const session of byTime(top)) {
    providers.set(session.provider, [...(providers.get(session.provider) ?? []), session]);
  }
  return [...providers].map(([provider, found]) => ({
    kind: "assistant",
    id: provider,
    label: nameOf(provider),
    description: String(found.length),
    children: found.map((session) => entry(session, 0)),
  }));
}

/** The text next to the title: age, size in memory, events, recording. A narrow side bar cuts its end. */
export function describe(session: SessionStatus, now: number): string {
  const parts = [
    age(session.lastMessageAt ?? session.updatedAt, now),
    session.resident ? bytes(session.estimatedBytes) : "on disk",
    count(session.eventCount + session.truncatedEvents, "event"),
    isRecording(session) ? "recording" : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function explain(session: SessionStatus, nameOf: NameOf): string {
  const lines = [
    titleOf(session),
    `${nameOf(session.provider)} · ${session.sessionId}`,
    count(session.eventCount + session.truncatedEvents, "event"),
    session.resident
      ? `${bytes(session.estimatedBytes)} in memory`
      : "on disk; Kato loads it into memory when the conversation continues",
  ];
  if (session.cwd !== undefined) {
    lines.push(session.cwd);
  }
  if (session.recording !== undefined) {
    lines.push(`${session.recording.active ? "Records to" : "Recorded to"} ${session.recording.outputPath}`);
  }
  return lines.join("\n");
}

function byTime(sessions: readonly SessionStatus[]): SessionStatus[] {
  const time = (session: SessionStatus): number => Date.parse(session.lastMessageAt ?? session.updatedAt) || 0;
  return [...sessions].sort((a, b) => time(b) - time(a) || keyOf(a).localeCompare(keyOf(b)));
}

/**
 * What the view must draw again: the ids of nodes whose own row changed, or "all" when nodes were added, removed or moved.
 * So the other rows of a tree stay as they are when one session grows.
 */
export function changes(before: readonly Entry[], after: readonly Entry[]): "all" | string[] {
  const [old, now] = [flat(before), flat(after)];
  if (
    old.length !== now.length ||
    old.some((entry, index) => entry.id !== now[index]?.id || entry.children.length !== now[index].children.length)
  ) {
    return "all";
  }
  return now.filter((entry, index) => row(entry) !== row(old[index])).map(({ id }) => id);
}

function flat(entries: readonly Entry[]): Entry[] {
  return entries.flatMap((entry) => [entry, ...flat(entry.children)]);
}

function row(entry: Entry | undefined): string {
  return entry === undefined
    ? ""
    : entry.kind === "assistant"
      ? entry.description
      : [entry.label, entry.description, entry.tooltip, entry.recording].join("\0");
}
