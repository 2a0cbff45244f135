// The conversations of this window: those that the server holds, from its status, and all others, from the catalogue of journal
// and logs. The catalogue is requested seldom: a status has everything that changes while conversations go on.

import * as vscode from "vscode";
import { Sessions, Status } from "./protocol";
import type { Server } from "./server";
import { keyOf, merged, ofWorkspace, type Conversation } from "./sessions";
import type { ConversationSummary, ProviderStatus, SessionStatus } from "./structs";
import { assistantNames, type NameOf } from "./text";

/** The most conversations in one answer of the catalogue, and in a status. */
const SESSIONS_MAX = 1000;
/** Conversations that are listed before the others. */
const SESSIONS_FIRST = 100;

export interface Listing {
  sessions: SessionStatus[];
  providers: readonly ProviderStatus[];
  nameOf: NameOf;
}

export const NO_SESSIONS: Listing = { sessions: [], providers: [], nameOf: assistantNames([]) };

/** The folders of this window that are on a disk. */
export function workspaceFolders(): string[] {
  return (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === "file")
    .map(({ uri }) => uri.fsPath);
}

/** The conversations of this window that the server holds, stale ones too, with the names of their assistants. */
export async function workspaceSessions(server: Server, limit = SESSIONS_MAX): Promise<Listing> {
  const { sessions, providers } = await server.request(Status, { includeStale: true, limit });
  return { sessions: ofWorkspace(sessions, workspaceFolders()), providers, nameOf: assistantNames(providers) };
}

export class ConversationList {
  #held = NO_SESSIONS;
  #listed: ConversationSummary[] = [];
  /** The names of the listed conversations' assistants: a status names only those of which the server holds a session. */
  #titles: Record<string, string> = {};
  #hasMore = false;
  #wanted = SESSIONS_MAX;

  constructor(private readonly server: Server) {}

  get conversations(): Conversation[] {
    return merged(this.#held.sessions, this.#listed);
  }

  get nameOf(): NameOf {
    return assistantNames(this.#held.providers, this.#titles);
  }

  /** Whether there are older conversations than those that were requested. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  clear(): void {
    this.#held = NO_SESSIONS;
    this.#listed = [];
    this.#hasMore = false;
  }

  /** Requests what the server holds. */
  async refreshHeld(): Promise<void> {
    this.#held = await workspaceSessions(this.server, Math.max(SESSIONS_MAX, this.#wanted));
  }

  /** Requests the first of the catalogue, if nothing of it is known: logs that were never described take time. */
  async beginListed(): Promise<void> {
    if (this.#listed.length === 0) {
      const { sessions, more, titles } = await this.server.request(Sessions, { limit: SESSIONS_FIRST });
      this.#listed = sessions;
      this.#titles = { ...titles };
      this.#hasMore = more;
    }
  }

  /** Requests the catalogue as far as it was loaded. */
  async refreshListed(): Promise<void> {
    const found = new Map<string, ConversationSummary>();
    let hasMore = true;
    for (let after = 0; hasMore && after < this.#wanted; after += SESSIONS_MAX) {
      const { sessions, more, titles } = await this.server.request(Sessions, { limit: SESSIONS_MAX, after });
      sessions.forEach((summary) => found.set(keyOf(summary), summary));
      Object.assign(this.#titles, titles);
      hasMore = more;
    }
    this.#listed = [...found.values()];
    this.#hasMore = hasMore;
  }

  /** Requests older conversations as well. */
  async loadMore(): Promise<void> {
    this.#wanted += SESSIONS_MAX;
    await this.refreshListed();
  }

  async refresh(): Promise<void> {
    await Promise.all([this.refreshHeld(), this.refreshListed()]);
  }
}
