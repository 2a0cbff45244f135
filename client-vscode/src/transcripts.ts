// A conversation as a read-only Markdown document, which follows the conversation while it is open.

import * as vscode from "vscode";
import { RenderSession } from "./protocol";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions } from "./sessionList";
import { keyOf } from "./sessions";
import type { SessionParams } from "./structs";
import type { Shown } from "./transcriptView";

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

  /** Opens the Markdown at its newest end. */
  async open(session: Shown): Promise<void> {
    const name = session.title
      .replace(/[\\/:*?"<>|\s]+/g, " ")
      .trim()
      .slice(0, 60);
    const document = await vscode.workspace.openTextDocument(transcriptUri(session, name));
    const end = document.lineAt(document.lineCount - 1).range.end;
    await vscode.window.showTextDocument(document, { preview: true, selection: new vscode.Range(end, end) });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const key = JSON.parse(uri.query) as SessionParams;
    if (this.server.state.kind === "starting") {
      await this.server.start();
    }
    const newest = { provider: key.provider, sessionId: key.sessionId, around: Number.MAX_SAFE_INTEGER };
    const { markdown, truncatedBefore } = await this.server.request(RenderSession, newest);
    return truncatedBefore === true
      ? `*Earlier messages are not shown here: export or capture the conversation to read all of it.*\n\n---\n\n${markdown}`
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
