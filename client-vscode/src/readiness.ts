// Whether a command can run: it needs the server. If that is stopped, the user is shown why, with what can be done.

import * as vscode from "vscode";
import type { Feedback } from "./feedback";
import type { StopCause } from "./life";
import { openSettings, showLog } from "./offer";
import type { Server } from "./server";

/** The settings that may keep the server from starting. */
const SETTINGS_OF: Partial<Record<StopCause, string>> = {
  python: "kato.server.python",
  command: "kato.server",
  settings: "@ext:kato.kato",
};

/** Whether the server runs, after an offer to start it if it is stopped. */
export async function isRunning({ server, feedback }: { server: Server; feedback: Feedback }): Promise<boolean> {
  switch (server.state.kind) {
    case "starting":
      await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Window, title: "Kato's server is starting…" },
        () => server.start(),
      );
      break;
    case "overBudget":
      await chosen(server, { "Raise Limit…": () => feedback.raiseLimit(), Restart: () => server.restart() });
      break;
    case "stopped": {
      const settings = server.state.cause && SETTINGS_OF[server.state.cause];
      await chosen(server, {
        ...(settings !== undefined && { "Open Settings": () => openSettings(settings) }),
        Start: () => server.start(),
        "Show Log": showLog,
      });
    }
  }
  return server.state.kind === "running";
}

/** Shows why the server does not run, and does what the user chooses. */
async function chosen(server: Server, actions: Record<string, () => Thenable<unknown>>): Promise<void> {
  const { kind, reason } = server.state;
  const message =
    reason === undefined ? "Kato's server is stopped." : `${kind === "overBudget" ? "Kato stopped. " : ""}${reason}`;
  const name = await vscode.window.showWarningMessage(message, ...Object.keys(actions));
  await (name === undefined ? undefined : actions[name]?.());
}
