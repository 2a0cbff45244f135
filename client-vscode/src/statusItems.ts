// The status bar item, and the language status of a note that records. appearance.ts has the item's texts.

import * as vscode from "vscode";
import { appearance } from "./appearance";
import { workspaceFolders } from "./folders";
import type { Server } from "./server";
import { isRecording, ofWorkspace, titleOf } from "./sessions";
import type { SessionStatus, StatusSnapshot } from "./structs";

export function showStatus(server: Server): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("memory", vscode.StatusBarAlignment.Right, 90);
  item.name = "Kato Memory";
  const note = vscode.languages.createLanguageStatusItem("kato.note", []);
  note.name = "Kato";
  const draw = (): void => {
    const { state, status } = server;
    const { text, tooltip, background, label } = appearance(state, status, recordingsHere(status).length);
    item.text = text;
    item.tooltip = new vscode.MarkdownString(tooltip, true);
    item.accessibilityInformation = { label };
    item.backgroundColor =
      background === "none" ? undefined : new vscode.ThemeColor(`statusBarItem.${background}Background`);
    item.command = state.kind === "stopped" ? "kato.startServer" : "kato.showSessions";
    drawNote(note, status);
    void vscode.commands.executeCommand("setContext", "kato.serverState", state.kind);
    void vscode.commands.executeCommand("setContext", "kato.stopCause", state.cause);
  };
  draw();
  item.show();
  return vscode.Disposable.from(
    item,
    note,
    server.onDidChangeState(draw),
    server.onDidChangeStatus(draw),
    vscode.window.onDidChangeActiveTextEditor(() => drawNote(note, server.status)),
  );
}

/** Shows, next to the language of the active note, that a conversation is recorded there. */
function drawNote(note: vscode.LanguageStatusItem, status: StatusSnapshot | undefined): void {
  const document = vscode.window.activeTextEditor?.document;
  const session =
    document?.uri.scheme === "file"
      ? status?.sessions.find((one) => isRecording(one) && one.recording?.outputPath === document.uri.fsPath)
      : undefined;
  if (document === undefined || session === undefined) {
    note.selector = [];
    return;
  }
  note.selector = { scheme: "file", language: document.languageId };
  note.text = "$(record) Kato records here";
  note.detail = titleOf(session);
  note.command = {
    command: "kato.stopRecording",
    title: "Stop Recording",
    arguments: [{ kind: "session", session }],
  };
}

/** The recordings of this window's folders. */
function recordingsHere(status: StatusSnapshot | undefined): SessionStatus[] {
  return ofWorkspace(status?.sessions ?? [], workspaceFolders()).filter(isRecording);
}
