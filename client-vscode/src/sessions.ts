// Which sessions a window shows, in which order, and what each is called. Pure: statuses in, entries out.

import type { SessionKey, SessionStatus, StatusSnapshot } from "./protocol";
import { age, bytes, count } from "./text";

/** A session with its assistant's name for people. */
export interface NamedSession extends SessionStatus {
  assistant: string;
}

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
export function keyOf(key: SessionKey): string {
  return `${key.provider}/${key.sessionId}`;
}

/** The sessions of a status, each with the name of its assistant; the status lists the names. */
export function named(status: StatusSnapshot): NamedSession[] {
  const titles = new Map(status.providers.map(({ provider, title }) => [provider, title]));
  return status.sessions.map((session) => ({ ...session, assistant: titles.get(session.provider) ?? session.provider }));
}

export function titleOf(session: SessionStatus): string {
  return session.title ?? session.snippet ?? session.sessionId;
}

export function isRecording(session: SessionStatus): boolean {
  return session.recording?.active === true;
}

/** The sessions of these folders: those without a folder belong to every window, and without folders all do. */
export function ofWorkspace<S extends SessionStatus>(sessions: readonly S[], folders: readonly string[]): S[] {
  return sessions.filter(({ cwd }) => folders.length === 0 || cwd === undefined || folders.some((folder) => isInside(cwd, folder)));
}

function isInside(path: string, folder: string): boolean {
  const [inner, outer] = [normalised(path), normalised(folder)];
  return inner === outer || inner.startsWith(`${outer}/`);
}

function normalised(path: string): string {
  const forward = path.replace(/\\/g, "/").replace(/\/+$/, "");
  return /^[A-Za-z]:/.test(forward) ? forward.toLowerCase() : forward;
}

/** Most recent first; sub-agents' sessions are left out: they belong to their parents. */
export function forPicking<S extends SessionStatus>(sessions: readonly S[]): S[] {
  return byTime(sessions.filter(({ parent }) => parent === undefined));
}

/** The tree: assistants, their sessions (most recent first), and below a session its sub-agents'. */
export function tree(sessions: readonly NamedSession[], now: number): AssistantEntry[] {
  const children = new Map<string, NamedSession[]>();
  const present = new Set(sessions.map(keyOf));
  const top: NamedSession[] = [];
  for (const session of sessions) {
    const parent = session.parent && keyOf({ provider: session.provider, sessionId: session.parent.sessionId });
    if (parent !== undefined && parent !== keyOf(session) && present.has(parent)) {
      children.set(parent, [...(children.get(parent) ?? []), session]);
    } else {
      top.push(session);
    }
  }
  const entry = (session: NamedSession, depth: number): SessionEntry => ({
    kind: "session",
    id: keyOf(session),
    session,
    label: titleOf(session),
    description: describe(session, now),
    tooltip: explain(session),
    recording: isRecording(session),
    children: depth < 8 ? byTime(children.get(keyOf(session)) ?? []).map((child) => entry(child, depth + 1)) : [],
  });
  const providers = new Map<string, NamedSession[]>();
  for (const session of byTime(top)) {
    providers.set(session.provider, [...(providers.get(session.provider) ?? []), session]);
  }
  return [...providers].map(([provider, found]) => ({
    kind: "assistant",
    id: provider,
    label: found[0]?.assistant ?? provider,
    description: String(found.length),
    children: found.map((session) => entry(session, 0)),
  }));
}

/** Next to the title, what matters most first, as a narrow side bar cuts it: age, size in memory or where else it is, events, recording. */
export function describe(session: SessionStatus, now: number): string {
  const parts = [
    age(session.lastMessageAt ?? session.updatedAt, now),
    session.resident ? bytes(session.estimatedBytes) : "on disk",
    count(session.eventCount + session.truncatedEvents, "event"),
    isRecording(session) ? "recording" : "",
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function explain(session: NamedSession): string {
  const lines = [
    titleOf(session),
    `${session.assistant} · ${session.sessionId}`,
    count(session.eventCount + session.truncatedEvents, "event"),
    session.resident ? `${bytes(session.estimatedBytes)} in memory` : "on disk; comes back into memory when it goes on",
  ];
  if (session.cwd !== undefined) {
    lines.push(session.cwd);
  }
  if (session.recording !== undefined) {
    lines.push(`${session.recording.active ? "Records to" : "Recorded to"} ${session.recording.outputPath}`);
  }
  return lines.join("\n");
}

function byTime<S extends SessionStatus>(sessions: readonly S[]): S[] {
  const time = (session: SessionStatus): number => Date.parse(session.lastMessageAt ?? session.updatedAt) || 0;
  return [...sessions].sort((a, b) => time(b) - time(a) || keyOf(a).localeCompare(keyOf(b)));
}

/**
 * What of the view has to be drawn again: the ids of nodes whose own row changed, or "all" when nodes came, went or moved.
 * So a tree of 200 sessions stays still when one of them grows.
 */
export function changes(before: readonly Entry[], after: readonly Entry[]): "all" | string[] {
  const [old, now] = [flat(before), flat(after)];
  if (old.length !== now.length || old.some((entry, index) => entry.id !== now[index]?.id || entry.children.length !== now[index]?.children.length)) {
    return "all";
  }
  return now.filter((entry, index) => row(entry) !== row(old[index])).map(({ id }) => id);
}

function flat(entries: readonly Entry[]): Entry[] {
  return entries.flatMap((entry) => [entry, ...flat(entry.children)]);
}

function row(entry: Entry | undefined): string {
  return entry === undefined ? "" : entry.kind === "assistant" ? entry.description : [entry.label, entry.description, entry.tooltip, entry.recording].join("\0");
}
