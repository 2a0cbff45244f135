// The contexts on which it depends whether a command is offered. `kato.serverState` is the status bar's, those of the sessions
// view are its own.

import * as vscode from "vscode";
import type { Outcomes } from "./outcomes";
import type { Server } from "./server";

export function setContext(name: string, value: boolean): void {
  void vscode.commands.executeCommand("setContext", `kato.${name}`, value);
}

export function showContexts(server: Server, outcomes: Outcomes): vscode.Disposable {
  const draw = (): void => {
    setContext("isRecording", (server.status?.recordings.activeRecordings ?? 0) > 0);
    setContext("hasCapture", outcomes.lastCapture !== undefined);
  };
  draw();
  return vscode.Disposable.from(
    server.onDidChangeStatus(draw),
    server.onDidChangeState(draw),
    server.onDidExecute(draw),
  );
}
