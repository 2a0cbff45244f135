import type { CommandOutcome, MemoryStatus, StatusSnapshot } from "./src/structs";

/**
 * What other extensions may call: `vscode.extensions.getExtension<KatoApi>("kato.kato")?.activate()`.
 *
 * An assistant's extension sends its conversation with `appendEvents`; `::` commands that the user typed in it run as in any
 * chat. The shapes are those of docs/protocol.md in Kato's repository. Every call waits until the server runs. It rejects with
 * an `Error` that states the reason when the server is stopped or refuses the parameters.
 */
export interface KatoApi {
  /** Increases when something is added; what exists does not change. */
  readonly version: 1;

  /** Adds events to one session. Resolves after they are durable. An event whose `eventId` the session has already has no effect. */
  appendEvents(params: {
    provider: string;
    sessionId: string;
    events: Record<string, unknown>[];
    title?: string;
    /** The conversation's folder, an absolute path: relative paths of `::` commands begin there. */
    cwd?: string;
    /** Stores the events without running `::` commands: for earlier conversations. */
    replay?: boolean;
  }): Promise<{
    accepted: number;
    duplicates: number;
    eventCount: number;
    truncatedEvents: number;
    commands: CommandOutcome[];
  }>;

  /** Writes a conversation to a Markdown note and keeps recording there. Without a path, Kato chooses one. */
  capture(session: { provider: string; sessionId: string; path?: string }): Promise<CommandOutcome>;

  /** The server's memory, in bytes. */
  memory(): Promise<MemoryStatus>;

  /** The last status that the server sent; undefined before the first. */
  status(): StatusSnapshot | undefined;

  /** Fires when a session, a recording, a count or the memory of the process changed, at most a few times a second. */
  onDidChangeStatus(listener: (status: StatusSnapshot) => void): { dispose(): void };
}

export type { CommandOutcome, MemoryStatus, StatusSnapshot };
