// Messages with remedies: what the user chooses is done, and a remedy that fails is reported as well.

import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { withRelative } from "./notices";
import type { Notice } from "./structs";

const SHOW = {
  error: vscode.window.showErrorMessage,
  warning: vscode.window.showWarningMessage,
  info: vscode.window.showInformationMessage,
};

/** A setting could not be written, for example because of a syntax error in the file. */
class SettingNotWritten extends Error {}

/** Shows a message with a button for each action, and runs the action that the user chooses. */
export async function offer(
  message: string,
  actions: Record<string, () => unknown>,
  severity: Notice["severity"] = "error",
): Promise<void> {
  const chosen = await SHOW[severity](message, ...Object.keys(actions));
  if (chosen !== undefined) {
    await actions[chosen]?.();
  }
}

/** Reports to the user why work failed. */
export function reported(work: Promise<void>): void {
  work.catch(async (error: unknown) => {
    const isWritten = !(error instanceof SettingNotWritten);
    const actions = isWritten ? {} : { "Open User Settings": openSettingsFile };
    await offer(`Kato: ${error instanceof Error ? error.message : String(error)}`, actions);
  });
}

/** Writes a setting of the extension. */
export async function setSetting(name: string, value: unknown, target: vscode.ConfigurationTarget): Promise<void> {
  try {
    await vscode.workspace.getConfiguration("kato").update(name, value, target);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SettingNotWritten(`kato.${name} was not changed: ${reason}`);
  }
}

export function openSettings(query: string): Thenable<unknown> {
  return vscode.commands.executeCommand("workbench.action.openSettings", query);
}

export function showLog(): Thenable<unknown> {
  return vscode.commands.executeCommand("kato.showLog");
}

/** A file's name below its workspace folder, otherwise below the home folder. */
export function relative(file: string): string {
  const name = vscode.workspace.asRelativePath(file);
  const home = `${os.homedir()}${path.sep}`;
  return name.startsWith(home) ? `~${path.sep}${name.slice(home.length)}` : name;
}

/** A message of the server, with the file in it named as the user knows it. */
export function named(message: string, file: string | undefined): string {
  return withRelative(message, file, relative);
}

function openSettingsFile(): Thenable<unknown> {
  return vscode.commands.executeCommand("workbench.action.openSettingsJson");
}
