// The texts and the colour of the status bar item and the language status item, for a state and a status. Pure.

import type { ServerState } from "./life";
import type { StatusSnapshot } from "./structs";
import { bytes, count, megabytes } from "./text";

export interface Appearance {
  text: string;
  /** In Markdown. */
  tooltip: string;
  background: "none" | "warning" | "error";
  /** For screen readers. */
  label: string;
}

const WARNING_SHARE = 0.8;

export function appearance(state: ServerState, status: StatusSnapshot | undefined): Appearance {
  if (state.kind === "overBudget") {
    const figures = status === undefined ? "" : ` ${used(status)}`;
    return {
      text: `$(error) Kato over budget${figures}`,
      tooltip: `**Kato stopped: over budget**\n\n${state.reason ?? "One conversation outgrew the memory limit."}\n\n${status?.memory.journal ? "All conversations are in the journal. " : ""}Click to raise the limit or restart.`,
      background: "error",
      label: "Kato stopped: over budget",
    };
  }
  if (state.kind === "stopped") {
    return {
      text: "$(error) Kato stopped",
      tooltip: `**Kato's server is stopped**\n\n${state.reason ?? "Kato does not keep conversations now."}\n\nClick to start it.`,
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
  const recordings = status.recordings.activeRecordings;
  const dot = recordings === 0 ? "" : ` $(record) ${recordings}`;
  const isOver = status.memory.snapshots.overBudget || share(status) > 1;
  return {
    text: isOver ? `$(error) Kato over budget ${used(status)}${dot}` : `$(database) ${used(status)}${dot}`,
    tooltip: table(status),
    background: isOver ? "error" : share(status) >= WARNING_SHARE ? "warning" : "none",
    label: `Kato ${isOver ? "is over budget: it uses" : "uses"} ${used(status)}${recordings === 0 ? "" : `, ${count(recordings, "recording")}`}`,
  };
}

function share(status: StatusSnapshot): number {
  return status.memory.process.rss / status.memory.daemonMaxMemoryBytes;
}

function used(status: StatusSnapshot): string {
  return `${megabytes(status.memory.process.rss)} / ${megabytes(status.memory.daemonMaxMemoryBytes)} MB`;
}

function table(status: StatusSnapshot): string {
  const { process, snapshots, journal, daemonMaxMemoryBytes } = status.memory;
  const rows: [string, string][] = [
    ["Process", `${bytes(process.rss)} of ${bytes(daemonMaxMemoryBytes)} (peak ${bytes(process.peakRss)})`],
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
    ["Recordings", status.recordings.activeRecordings === 0 ? "none" : String(status.recordings.activeRecordings)],
  ];
  return `**Kato** ${status.version}\n\n| | |\n|:--|:--|\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join("\n")}\n`;
}

function evictions(status: StatusSnapshot): string {
  const { evictionsTotal, bytesReclaimedTotal } = status.memory.snapshots;
  return evictionsTotal === 0
    ? "none"
    : `${evictionsTotal.toLocaleString("en-US")} (${bytes(bytesReclaimedTotal)} freed)`;
}
