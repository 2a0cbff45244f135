import type { Conversation } from "../../src/sessions";
import type { SessionStatus, StatusSnapshot } from "../../src/structs";

const MIB = 1024 * 1024;

export function status({
  rssMb = 50,
  limitMb = 200,
  recordings = 0,
  overBudget = false,
  keepsLimit = true,
  snapshotsMb = 10,
  evictions = 0,
  journal = true,
  at = "2026-03-01T10:00:00Z",
} = {}): StatusSnapshot {
  return {
    schemaVersion: 1,
    version: "0.1.0",
    generatedAt: at,
    heartbeatAt: at,
    daemonRunning: true,
    daemonPid: 1,
    startedAt: at,
    providers: [],
    recordings: { activeRecordings: recordings, destinations: recordings },
    recordingsDir: "/state/recordings",
    omittedSessions: 0,
    sessions: [],
    memory: {
      daemonMaxMemoryBytes: limitMb * MIB,
      process: { rss: rssMb * MIB, uss: null, vms: 0, peakRss: rssMb * MIB },
      snapshots: {
        budgetBytes: 83 * MIB,
        estimatedBytes: snapshotsMb * MIB,
        sessionCount: 4,
        eventCount: 1200,
        evictionsTotal: evictions,
        bytesReclaimedTotal: 2 * MIB,
        evictionsByReason: {},
        overBudget,
      },
      wholeProcess: keepsLimit,
      smallestLimitBytes: 87 * MIB,
      journal: journal ? { bytes: 30 * MIB, sessionCount: 9, eventCount: 5000 } : null,
    },
  };
}

export function session(sessionId: string, more: Partial<SessionStatus> = {}): SessionStatus {
  return {
    provider: "claude",
    sessionId,
    eventCount: 3,
    truncatedEvents: 0,
    estimatedBytes: 2048,
    resident: true,
    updatedAt: "2026-03-01T10:00:00Z",
    lastMessageAt: "2026-03-01T10:00:00Z",
    stale: false,
    ...more,
  };
}

export function conversation(sessionId: string, more: Partial<Conversation> = {}): Conversation {
  return {
    provider: "claude",
    sessionId,
    title: sessionId,
    at: "2026-03-01T10:00:00Z",
    events: 3,
    bytes: 2048,
    place: "memory",
    isDeleted: false,
    ...more,
  };
}
