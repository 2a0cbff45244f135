// The status bar item, and the language status of a note that records. appearance.ts has the item's texts.

import * as vscode from "vscode";
import { appearance, isOverLimit } from "./appearance";
import { workspaceFolders } from "./folders";
import { Status } from "./protocol";
import type { Server } from "./server";
import { isRecording, ofWorkspace, titleOf } from "./sessions";
import type { SessionStatus, StatusSnapshot } from "./structs";

/** Sessions among which the largest is searched while the process is over its limit. */
const SESSIONS_MAX = 200;

export function showStatus(server: Server): vscode.Disposable {
  return new StatusItems(server);
}

class StatusItems implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("memory", vscode.StatusBarAlignment.Right, 90);
  readonly #note = vscode.languages.createLanguageStatusItem("kato.note", []);
  readonly #subscriptions: vscode.Disposable;
  /** Sessions that record, and those in memory while the process is over its limit; also those without recent messages. */
  #sessions: readonly SessionStatus[] = [];

  constructor(private readonly server: Server) {
    this.#item.name = "Kato Memory";
    this.#note.name = "Kato";
    this.#subscriptions = vscode.Disposable.from(
      this.#item,
      this.#note,
      server.onDidChangeState(() => this.#draw()),
      server.onDidChangeStatus((status) => void this.#changed(status)),
      vscode.window.onDidChangeActiveTextEditor(() => this.#drawNote()),
    );
    this.#draw();
    this.#item.show();
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  async #changed(status: StatusSnapshot): Promise<void> {
    const count = isOverLimit(status) ? SESSIONS_MAX : status.recordings.activeRecordings;
    this.#draw();
    // The status that the server sends lacks sessions without recent messages. In an answer, sessions that record come first.
    const answer =
      count === 0
        ? undefined
        : await this.server.request(Status, { includeStale: true, limit: count }).catch(() => undefined);
    if (this.server.status === status) {
      this.#sessions = answer?.sessions ?? [];
      this.#draw();
    }
  }

  #draw(): void {
    const { state, status } = this.server;
    const recordings = ofWorkspace(this.#sessions, workspaceFolders()).filter(isRecording).length;
    const { text, tooltip, background, label } = appearance(state, status, { sessions: this.#sessions, recordings });
    this.#item.text = text;
    const shown = new vscode.MarkdownString(tooltip, true);
    shown.isTrusted = { enabledCommands: ["kato.raiseLimit"] };
    this.#item.tooltip = shown;
    this.#item.accessibilityInformation = { label };
    this.#item.backgroundColor =
      background === "none" ? undefined : new vscode.ThemeColor(`statusBarItem.${background}Background`);
    this.#item.command = state.kind === "stopped" ? "kato.startServer" : "kato.showSessions";
    this.#drawNote();
    void vscode.commands.executeCommand("setContext", "kato.serverState", state.kind);
    void vscode.commands.executeCommand("setContext", "kato.stopCause", state.cause);
  }

  /** Shows, next to the language of the active note, that a conversation is recorded there. */
  #drawNote(): void {
    const document = vscode.window.activeTextEditor?.document;
    const session =
      document?.uri.scheme === "file" && this.server.state.kind === "running"
        ? this.#sessions.find((one) => isRecording(one) && one.recording?.outputPath === document.uri.fsPath)
        : undefined;
    if (document === undefined || session === undefined) {
      this.#note.selector = [];
      return;
    }
    this.#note.selector = { scheme: "file", language: document.languageId };
    this.#note.text = "$(record) Kato records here";
    this.#note.detail = titleOf(session);
    this.#note.command = {
      command: "kato.stopRecording",
      title: "Stop Recording",
      arguments: [{ kind: "session", session: { ...session, title: titleOf(session) } }],
    };
  }
}
