/**
 * What other extensions may call: `vscode.extensions.getExtension<KatoApi>("kato.kato")?.activate()`.
 *
 * An assistant's extension hands its conversation over with `appendEvents`; `::` commands that the user typed in it run as
 * in any chat. Shapes are those of docs/protocol.md in Kato's repository. Every call waits until the server runs; it rejects
 * with an `Error` that says why when the server is stopped, or refuses what it was given.
 */
export interface KatoApi {
  /** Grows when something is added; what is there stays as it is. */
  readonly version: 1;

  /** Keeps events of one session. Resolves after they are durable. Events whose `eventId` is known have no effect. */
  appendEvents(params: {
    provider: string;
    sessionId: string;
    events: Record<string, unknown>[];
    title?: string;
    /** The conversation's folder, absolute: relative paths of `::` commands start there. */
    cwd?: string;
    /** Stores without running `::` commands: for history. */
    replay?: boolean;
  }): Promise<{ accepted: number; duplicates: number; eventCount: number; truncatedEvents: number; commands: CommandOutcome[] }>;

  /** Writes a conversation to a Markdown note and keeps recording there. Without a path, Kato chooses one. */
  capture(session: { provider: string; sessionId: string; path?: string }): Promise<CommandOutcome>;

  /** The server's memory, in bytes. */
  memory(): Promise<MemoryStatus>;

  /** The server's latest status; undefined before the first one. */
  status(): StatusSnapshot | undefined;

  /** Fires when a count, a session, a recording or the process' memory changed; at most a few times a second. */
  onDidChangeStatus(listener: (status: StatusSnapshot) => void): { dispose(): void };
}

export type { CommandOutcome, MemoryStatus, StatusSnapshot } from "./src/protocol";
