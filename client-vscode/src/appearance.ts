// The texts and the colour of the status bar item, for a state and a status. Pure.
//
// Rule: red is for a server that does not run. A process that is over its limit and still runs is amber, with other words.

import type { ServerState } from "./life";
import type { SessionStatus, StatusSnapshot } from "./structs";
import { bytes, count, inMarkdown, megabytes } from "./text";

export interface Appearance {
  text: string;
  /** In Markdown. */
  tooltip: string;
  background: "none" | "warning" | "error";
  /** For screen readers. */
  label: string;
}

const WARNING_SHARE = 0.8;
/** A session from this size on is named as one that takes memory. */
const LARGE_BYTES = 1024 * 1024;

/** What this window knows: sessions, among them the largest in memory, and the number of its recordings. */
export interface Known {
  sessions: readonly SessionStatus[];
  recordings: number;
}

export function appearance(
  state: ServerState,
  status: StatusSnapshot | undefined,
  { sessions, recordings }: Known = { sessions: [], recordings: 0 },
): Appearance {
  if (state.kind === "overBudget") {
    const kept = status?.memory.journal ? "All conversations are in the journal. " : "";
    return {
      text: "$(error) Kato stopped: over its limit",
      tooltip: `**Kato stopped: a conversation is too large for the memory limit**\n\n${inMarkdown(state.reason ?? "One conversation outgrew the memory limit.")}\n\n${kept}Click to raise the limit or restart.`,
      background: "error",
      label: "Kato stopped: a conversation is too large for the memory limit",
    };
  }
  if (state.kind === "stopped") {
    return {
      text: "$(error) Kato stopped",
      tooltip: `**Kato's server is stopped**\n\n${inMarkdown(state.reason ?? "Kato does not keep conversations now.")}\n\nClick to start it.`,
      background: "error",
      label: "Kato's server is stopped",
    };
  }
  if (state.kind === "starting" || status === undefined) {
    return {
      text: "$(loading~spin) Kato",
      tooltip: "Kato's server is starting…",
      background: "none",
      label: "Kato is starting",
    };
  }
  const isOver = isOverLimit(status);
  const figures = used(status);
  const dot = recordings === 0 ? "" : ` $(record) ${recordings}`;
  const words = recordings === 0 ? "" : `, ${count(recordings, "recording")}`;
  return {
    text: isOver ? `$(warning) Kato ${figures}, over its limit${dot}` : `$(database) Kato ${figures}${dot}`,
    tooltip: `${isOver ? overLimit(sessions) : ""}${table(status)}`,
    background: isOver || share(status) >= WARNING_SHARE ? "warning" : "none",
    label: `Kato uses ${figures}${isOver ? ", more than its limit" : ""}${words}`,
  };
}

/** Whether the limit bounds the whole process. A server that does not say it is older than the question. */
export function keepsLimit({ memory }: StatusSnapshot): boolean {
  return memory.wholeProcess !== false;
}

/** A process that takes more than its limit, and still runs. A limit that it cannot keep bounds the snapshots alone. */
export function isOverLimit(status: StatusSnapshot): boolean {
  return status.memory.snapshots.overBudget || (keepsLimit(status) && share(status) > 1);
}

/** The used share of what the limit bounds. */
function share(status: StatusSnapshot): number {
  const { process, snapshots, daemonMaxMemoryBytes } = status.memory;
  return keepsLimit(status)
    ? process.rss / daemonMaxMemoryBytes
    : snapshots.estimatedBytes / Math.max(1, snapshots.budgetBytes);
}

function used(status: StatusSnapshot): string {
  const rss = megabytes(status.memory.process.rss);
  return keepsLimit(status) ? `${rss} / ${megabytes(status.memory.daemonMaxMemoryBytes)} MB` : `${rss} MB`;
}

function overLimit(sessions: readonly SessionStatus[]): string {
  const largest = sessions
    .filter(({ resident, estimatedBytes }) => resident && estimatedBytes >= LARGE_BYTES)
    .sort((a, b) => b.estimatedBytes - a.estimatedBytes)[0];
  const name =
    largest === undefined
      ? ""
      : ` The largest is “${inMarkdown(largest.title ?? largest.snippet ?? largest.sessionId)}” (${bytes(largest.estimatedBytes)}).`;
  return `**Kato takes more memory than its limit**, and removes the conversations from memory that were updated least recently.${name} [Raise Memory Limit…](command:kato.raiseLimit)\n\n`;
}

function table(status: StatusSnapshot): string {
  const { process, snapshots, journal, daemonMaxMemoryBytes, smallestLimitBytes } = status.memory;
  const limit = bytes(daemonMaxMemoryBytes);
  const peak = `(peak ${bytes(process.peakRss)})`;
  const least = smallestLimitBytes === undefined ? "" : `; from ${bytes(smallestLimitBytes)} on, the process`;
  const rows: [string, string][] = [
    ["Process", keepsLimit(status) ? `${bytes(process.rss)} of ${limit} ${peak}` : `${bytes(process.rss)} ${peak}`],
    ...(keepsLimit(status) ? [] : [["Limit", `${limit}, for the snapshots alone${least}`] as [string, string]]),
    ["Snapshots", `${bytes(snapshots.estimatedBytes)} of ${bytes(snapshots.budgetBytes)}`],
    ["Sessions", `${snapshots.sessionCount.toLocaleString("en-US")} in memory`],
    ["Events", `${snapshots.eventCount.toLocaleString("en-US")} in memory`],
    ["Evictions", evictions(status)],
    [
      "Journal",
      journal === null
        ? "off"
        : `${bytes(journal.bytes)}, ${count(journal.sessionCount, "session")}, ${count(journal.eventCount, "event")}`,
    ],
    [
      "Recordings",
      status.recordings.activeRecordings === 0 ? "none" : `${status.recordings.activeRecordings} in all folders`,
    ],
  ];
  // A header row of its own would be an empty line. The editor leaves no room between columns.
  return `| Kato | ${status.version} |\n|:--|:--|\n${rows.map(([name, value]) => `| ${name}&emsp; | ${value} |`).join("\n")}\n`;
}

function evictions(status: StatusSnapshot): string {
  const { evictionsTotal, bytesReclaimedTotal } = status.memory.snapshots;
  return evictionsTotal === 0
    ? "none"
    : `${evictionsTotal.toLocaleString("en-US")} (${bytes(bytesReclaimedTotal)} freed)`;
}
