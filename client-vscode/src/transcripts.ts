// A conversation as a read-only Markdown document, which follows the conversation while it is open.

import * as vscode from "vscode";
import { RenderSession } from "./protocol";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions } from "./sessionList";
import { keyOf, titleOf } from "./sessions";
import type { SessionParams, SessionStatus } from "./structs";

const SCHEME = "kato-session";

/** The transcript of a session as a document. */
export function transcriptUri({ provider, sessionId }: SessionParams, name = ""): vscode.Uri {
  const query = JSON.stringify({ provider, sessionId });
  return vscode.Uri.from({ scheme: SCHEME, path: `/${provider}/${name || "conversation"}.md`, query });
}

export class Transcripts implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable[];
  #shown = new Map<string, number>();

  constructor(private readonly server: Server) {
    this.#subscriptions = [
      this.#changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      server.onDidChangeStatus(() => void this.#follow()),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async open(session: SessionStatus): Promise<void> {
    const name = titleOf(session)
      .replace(/[\\/:*?"<>|\s]+/g, " ")
      .trim()
      .slice(0, 60);
    const document = await vscode.workspace.openTextDocument(transcriptUri(session, name));
    await vscode.window.showTextDocument(document, { preview: true });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const key = JSON.parse(uri.query) as SessionParams;
    if (this.server.state.kind === "starting") {
      await this.server.start();
    }
    const { markdown, truncated } = await this.server.request(RenderSession, key);
    return truncated
      ? `${markdown}\n\n---\n\n*The rest is not shown here: export or capture the conversation to read all of it.*\n`
      : markdown;
  }

  async #follow(): Promise<void> {
    const open = vscode.workspace.textDocuments.filter(({ uri }) => uri.scheme === SCHEME);
    if (open.length === 0) {
      return;
    }
    const { sessions } = await workspaceSessions(this.server).catch(() => NO_SESSIONS);
    const now = new Map(sessions.map((session) => [keyOf(session), session.eventCount + session.truncatedEvents]));
    for (const { uri } of open) {
      const key = keyOf(JSON.parse(uri.query) as SessionParams);
      const events = now.get(key);
      if (events !== undefined && this.#shown.get(key) !== events) {
        this.#shown.set(key, events);
        this.#changed.fire(uri);
      }
    }
  }
}
