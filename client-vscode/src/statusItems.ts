// The status bar item and the language status item. appearance.ts has their texts.

import * as vscode from "vscode";
import { appearance } from "./appearance";
import type { Server } from "./server";

export function showStatus(server: Server): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("memory", vscode.StatusBarAlignment.Right, 90);
  item.name = "Kato Memory";
  const language = vscode.languages.createLanguageStatusItem("kato.status", { pattern: "**" });
  language.name = "Kato";
  const draw = (): void => {
    const { text, tooltip, background, label } = appearance(server.state, server.status);
    item.text = text;
    item.tooltip = new vscode.MarkdownString(tooltip, true);
    item.accessibilityInformation = { label };
    item.backgroundColor =
      background === "none" ? undefined : new vscode.ThemeColor(`statusBarItem.${background}Background`);
    item.command = server.state.kind === "stopped" ? "kato.startServer" : "kato.showSessions";
    language.text = text;
    language.detail = label;
    language.busy = server.state.kind === "starting";
    language.severity =
      background === "error"
        ? vscode.LanguageStatusSeverity.Error
        : background === "warning"
          ? vscode.LanguageStatusSeverity.Warning
          : vscode.LanguageStatusSeverity.Information;
    language.command =
      server.state.kind === "stopped"
        ? { command: "kato.startServer", title: "Start" }
        : { command: "kato.showSessions", title: "Sessions" };
    void vscode.commands.executeCommand("setContext", "kato.serverState", server.state.kind);
  };
  draw();
  item.show();
  return vscode.Disposable.from(item, language, server.onDidChangeState(draw), server.onDidChangeStatus(draw));
}
