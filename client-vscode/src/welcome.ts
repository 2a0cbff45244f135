// What leads a newcomer on: one message after the first start.

import * as vscode from "vscode";
import type { Server } from "./server";

const WELCOMED = "welcomed";
const WALKTHROUGH = "kato.kato#start";

/** Shows the message when the server of this machine runs for the first time. */
export function welcome(server: Server, state: vscode.Memento): vscode.Disposable {
  if (state.get<boolean>(WELCOMED) === true) {
    return vscode.Disposable.from();
  }
  const subscription = server.onDidChangeState(({ kind }) => {
    if (kind === "running") {
      subscription.dispose();
      void show(state);
    }
  });
  return subscription;
}

async function show(state: vscode.Memento): Promise<void> {
  await state.update(WELCOMED, true);
  const chosen = await vscode.window.showInformationMessage(
    "Kato is ready. Type ::capture notes/conv.md in the chat with your assistant to write the conversation to a note.",
    "Get Started",
    "Show Sessions",
  );
  if (chosen === "Get Started") {
    await vscode.commands.executeCommand("workbench.action.openWalkthrough", WALKTHROUGH, false);
  } else if (chosen !== undefined) {
    await vscode.commands.executeCommand("kato.sessions.focus");
  }
}
