// The rows of the sessions view: groups, conversations, sub-agents below them, and what a filter leaves. Pure.

import type { NameFile } from "./notices";
import { byTime, folderOf, isRecording, joined, keyOf, nameOfFolder, type Conversation } from "./sessions";
import { age, bytes, count, moment, shortened, type NameOf } from "./text";

/** A conversation's row; `id` stays the same while the conversation lives. */
export interface SessionEntry {
  kind: "session";
  id: string;
  session: Conversation;
  label: string;
  description: string;
  children: SessionEntry[];
}

export interface GroupEntry {
  kind: "group";
  id: string;
  label: string;
  description: string;
  children: SessionEntry[];
}

/** The last row of a list that is not complete. */
export interface MoreEntry {
  kind: "more";
  id: "more";
  label: string;
  description: string;
  children: [];
}

export type Entry = GroupEntry | SessionEntry | MoreEntry;

export const ARRANGEMENTS = ["day", "assistant", "folder", "title"] as const;
export type Arrangement = (typeof ARRANGEMENTS)[number];

export const CONDITIONS = ["note", "recording", "deleted"] as const;
export type Condition = (typeof CONDITIONS)[number];

/** Which conversations are shown; an empty list excludes none. */
export interface Filter {
  providers: readonly string[];
  folders: readonly string[];
  conditions: readonly Condition[];
}

export const NO_FILTER: Filter = { providers: [], folders: [], conditions: [] };

export interface Layout {
  arrangement: Arrangement;
  filter: Filter;
  /** The folders of the window. */
  folders: readonly string[];
  nameOf: NameOf;
  /** There are older conversations than those that are given. */
  hasMore: boolean;
}

/** Letters of a row at the usual width of a side bar, in which the age is to be in view next to the title. */
const ROW_CHARS = 34;
const TITLE_CHARS_MIN = 18;
const DEPTH_MAX = 8;
const DAY_MS = 24 * 60 * 60 * 1000;

export function isFiltered(filter: Filter): boolean {
  return filter.providers.length + filter.folders.length + filter.conditions.length > 0;
}

/** The folder of a row, unless it is the only one of the window: a folder of the window, or the conversation's own. */
export function folderShown(cwd: string | undefined, folders: readonly string[]): string | undefined {
  const holding = folderOf(cwd, folders);
  return cwd === undefined || (folders.length === 1 && holding !== undefined)
    ? undefined
    : nameOfFolder(holding ?? cwd);
}

export function tree(conversations: readonly Conversation[], now: number, layout: Layout): Entry[] {
  const { top, below } = nested(conversations);
  const chosen = top.filter((one) => passes(one, layout));
  const entry = (one: Conversation, depth: number): SessionEntry => ({
    kind: "session",
    id: keyOf(one),
    session: one,
    label: shortened(one.title, Math.max(TITLE_CHARS_MIN, ROW_CHARS - age(one.at, now).length - 1)),
    description: describeRow(one, now, layout),
    children: depth < DEPTH_MAX ? byTime(below.get(keyOf(one)) ?? []).map((child) => entry(child, depth + 1)) : [],
  });
  const rows = (found: readonly Conversation[]): SessionEntry[] => found.map((one) => entry(one, 0));
  const listed = layout.arrangement === "title" ? rows(byTitle(chosen)) : groups(byTime(chosen), now, layout, rows);
  const shown = chosen.length.toLocaleString("en-US");
  return layout.hasMore
    ? [...listed, { kind: "more", id: "more", label: "Load More…", description: `${shown} shown`, children: [] }]
    : listed;
}

/** The conversations without a parent among these, and the others by their parent. */
function nested(conversations: readonly Conversation[]): {
  top: Conversation[];
  below: Map<string, Conversation[]>;
} {
  const below = new Map<string, Conversation[]>();
  const present = new Set(conversations.map(keyOf));
  const top: Conversation[] = [];
  for (const one of conversations) {
    const parent = one.parent && keyOf({ provider: one.provider, sessionId: one.parent.sessionId });
    if (parent !== undefined && parent !== keyOf(one) && present.has(parent)) {
      below.set(parent, [...(below.get(parent) ?? []), one]);
    } else {
      top.push(one);
    }
  }
  return { top, below };
}

function passes(one: Conversation, { filter, folders }: Layout): boolean {
  const { providers, conditions } = filter;
  const holds: Record<Condition, boolean> = {
    note: one.recording !== undefined,
    recording: isRecording(one),
    deleted: one.isDeleted,
  };
  return (
    (providers.length === 0 || providers.includes(one.provider)) &&
    (filter.folders.length === 0 || filter.folders.includes(folderOf(one.cwd, folders) ?? one.cwd ?? "")) &&
    (conditions.length === 0 || conditions.some((condition) => holds[condition]))
  );
}

function groups(
  found: readonly Conversation[],
  now: number,
  layout: Layout,
  rows: (found: readonly Conversation[]) => SessionEntry[],
): GroupEntry[] {
  const { arrangement, nameOf, folders } = layout;
  const ids = new Map<string, { label: string; found: Conversation[] }>();
  for (const one of found) {
    const folder = folderOf(one.cwd, folders) ?? one.cwd;
    const [id, label] =
      arrangement === "day"
        ? [dayOf(one.at, now), dayOf(one.at, now)]
        : arrangement === "assistant"
          ? [one.provider, nameOf(one.provider)]
          : [folder ?? "", folder === undefined ? "No folder" : nameOfFolder(folder)];
    const group = ids.get(id) ?? { label, found: [] };
    group.found.push(one);
    ids.set(id, group);
  }
  return [...ids].map(([id, group]) => ({
    kind: "group",
    id: `${arrangement}:${id}`,
    label: group.label,
    description: group.found.length.toLocaleString("en-US"),
    children: rows(group.found),
  }));
}

/** Days begin at midnight of this machine. */
function dayOf(at: string, now: number): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const then = Date.parse(at) || 0;
  if (then >= midnight) {
    return "Today";
  }
  // A day may have 23 or 25 hours.
  const yesterday = new Date(midnight - DAY_MS / 2).setHours(0, 0, 0, 0);
  const week = new Date(midnight - 6.5 * DAY_MS).setHours(0, 0, 0, 0);
  return then >= yesterday ? "Yesterday" : then >= week ? "Last 7 days" : "Older";
}

function byTitle(conversations: readonly Conversation[]): Conversation[] {
  return [...conversations].sort(
    (a, b) =>
      a.title.localeCompare(b.title, undefined, { numeric: true, sensitivity: "base" }) ||
      keyOf(a).localeCompare(keyOf(b)),
  );
}

/** The text next to the title. A narrow side bar cuts its end, so that the age comes first. */
function describeRow(one: Conversation, now: number, { folders }: Layout): string {
  return joined([
    age(one.at, now),
    isRecording(one) ? "recording" : "",
    one.isDeleted ? "log deleted" : "",
    one.notKept === undefined ? "" : "not kept",
    folderShown(one.cwd, folders),
    one.events === undefined ? "" : count(one.events, "event"),
  ]);
}

const NOT_KEPT = {
  off: "Kato keeps nothing of what is said in it now",
  ignored: "A .katoignore file in its folder, or above, keeps it out",
};

/** What the tooltip of a row says, as lines. `nameFile` gives a file the name that the user knows, `model` is the one that answered last. */
export function explain(one: Conversation, nameOf: NameOf, nameFile: NameFile, model?: string): string[] {
  const { recording } = one;
  const where = {
    memory: `${bytes(one.bytes)} in memory, and in Kato's journal`,
    journal: "In Kato's journal; Kato loads it into memory when the conversation continues",
    log: `In the assistant's log (${bytes(one.bytes)}); Kato reads it when you open or capture it`,
  }[one.place];
  return [
    one.title,
    joined([nameOf(one.provider), model]),
    `Last message: ${moment(one.at)}`,
    ...(one.cwd === undefined ? [] : [`Folder: ${nameFile(one.cwd)}`]),
    ...(one.events === undefined ? [] : [count(one.events, "event")]),
    where,
    ...(one.isDeleted ? ["The assistant's log was deleted; Kato's journal keeps the conversation"] : []),
    ...(one.notKept === undefined ? [] : [NOT_KEPT[one.notKept]]),
    ...(recording === undefined
      ? []
      : [`${recording.active ? "Records to" : "Recorded to"} ${nameFile(recording.outputPath)}`]),
    `Id: ${one.sessionId}`,
  ];
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
  if (entry === undefined) {
    return "";
  }
  const texts = [entry.label, entry.description];
  const { session } = entry.kind === "session" ? entry : {};
  return JSON.stringify(
    session === undefined
      ? texts
      : [...texts, session.title, session.recording, session.isDeleted, session.notKept, session.place],
  );
}
