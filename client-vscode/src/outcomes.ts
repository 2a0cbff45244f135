// The outcomes of commands: an item in the status bar for a command in the chat that succeeded, a message with a remedy for one
// that failed.

import * as path from "node:path";
import * as vscode from "vscode";
import { named, offer, openSettings, relative, reported, setSetting, showLog } from "./offer";
import { commandParams, ExecuteCommand, isCommandName } from "./protocol";
import type { Server } from "./server";
import type { CommandOutcome, SessionParams } from "./structs";

/** Milliseconds for which the status bar shows an outcome. */
const SHOWN_MS = 20_000;
/** Milliseconds between two attempts of a command on a note that was just saved, and for which it is attempted. */
const RETRY_MS = 250;
const RETRIES_MS_MAX = 5000;

const DONE: Partial<Record<string, string>> = {
  capture: "Captured to",
  record: "Records to",
  export: "Exported to",
  init: "Prepared",
  stop: "Stopped recording",
  off: "Keeps nothing now",
  on: "Keeps the conversation again",
};

/** The editor's commands that ask for a file, for a command that could not write its own. */
const CHOOSE_FILE: Partial<Record<string, string>> = {
  capture: "kato.captureConversation",
  export: "kato.exportConversation",
};

export class Outcomes implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("outcome", vscode.StatusBarAlignment.Right, 89);
  readonly #subscriptions: vscode.Disposable[];
  /** Notes on which a command is repeated until the server knows that they are saved. */
  readonly #saving = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    private readonly state: vscode.Memento,
    private readonly sendSettings: () => Promise<void>,
    /** Has the outcome of a command in the chat shown in the window where the user is. */
    private readonly publish: (outcome: CommandOutcome) => Promise<void>,
  ) {
    this.#item.name = "Kato Command";
    this.#subscriptions = [this.#item, server.onDidExecute((outcome) => reported(this.#executed(outcome)))];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** The note that a command in this workspace wrote last. */
  get lastCapture(): string | undefined {
    return this.state.get<string>("lastCapture");
  }

  async #executed(outcome: CommandOutcome): Promise<void> {
    await this.#remember(outcome);
    if (outcome.origin === "chat") {
      await this.publish(outcome);
    } else if (outcome.status === "error") {
      await this.#commandFailed(outcome);
    } else if (outcome.command === "stop") {
      this.#showInStatusBar(outcome); // the editor's other commands open what they wrote
    }
  }

  /** Shows the outcome of a command in the chat, which the server of another window may have run. */
  async show(outcome: CommandOutcome): Promise<void> {
    await this.#remember(outcome);
    if (outcome.status === "error") {
      await this.#commandFailed(outcome);
    } else {
      this.#showInStatusBar(outcome);
    }
  }

  async #remember({ status, command, outputPath }: CommandOutcome): Promise<void> {
    if (status !== "error" && outputPath !== undefined && command !== "stop") {
      await this.state.update("lastCapture", outputPath);
    }
  }

  #showInStatusBar({ command, status, outputPath, message }: CommandOutcome): void {
    const name = outputPath === undefined ? "" : ` ${path.basename(outputPath)} — Open`;
    this.#item.text =
      status === "noop"
        ? `$(info) Kato: nothing to do for ::${command}`
        : `$(check) ${DONE[command] ?? command}${name}`;
    this.#item.tooltip = message ?? (outputPath && relative(outputPath));
    this.#item.command =
      outputPath === undefined
        ? undefined
        : { command: "vscode.open", title: "Open", arguments: [vscode.Uri.file(outputPath)] };
    this.#item.show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#item.hide(), SHOWN_MS);
  }

  async #commandFailed(outcome: CommandOutcome): Promise<void> {
    const { command, origin, error } = outcome;
    const file = error?.path;
    if (file !== undefined && error?.rule === "unsaved" && this.#saving.has(file)) {
      return; // it is repeated
    }
    const isOutside = error?.rule === "outside" && file !== undefined;
    const reason = isOutside
      ? `${relative(file)} is outside the allowed folders`
      : named(error?.message ?? "unknown reason", file);
    const message = `Kato: ${origin === "chat" ? `::${command}` : command} failed: ${reason.replace(/\.$/, "")}.`;
    if (isOutside) {
      await offer(message, {
        "Allow This Folder": () => this.#allowAndRetry(outcome, file),
        "Open Settings": () => openSettings("kato.allowedWriteRoots"),
      });
    } else if (error?.rule === "unsaved" && file !== undefined && openDocument(file) !== undefined) {
      await offer(message, { "Save and Retry": () => this.#saveAndRetry(outcome, file) });
    } else {
      const again = file === undefined ? undefined : CHOOSE_FILE[command];
      const choose = (): unknown => vscode.commands.executeCommand(again ?? "", { kind: "session", session: outcome });
      await offer(message, { ...(again && { "Choose Another File…": choose }), "Show Log": showLog });
    }
  }

  /** Adds the file's folder to those that the user allowed, in the user's settings: a project must not allow folders. */
  async #allowAndRetry(outcome: CommandOutcome, file: string): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    const allowed = configuration.inspect<string[]>("allowedWriteRoots")?.globalValue ?? [];
    const folders = [...new Set([...allowed, path.dirname(file)])];
    await setSetting("allowedWriteRoots", folders, vscode.ConfigurationTarget.Global);
    await this.sendSettings();
    await this.#retry(outcome, file);
  }

  /**
   * Saves the note and repeats the command. The server refuses it until it knows that the note is saved, and while text of its
   * own is on its way into the editor.
   */
  async #saveAndRetry(outcome: CommandOutcome, file: string): Promise<void> {
    const document = openDocument(file);
    const deadline = Date.now() + RETRIES_MS_MAX;
    this.#saving.add(file);
    try {
      do {
        await document?.save();
        const { status, error } = await this.#retry(outcome, file);
        if (status !== "error" || error?.rule !== "unsaved") {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } while (Date.now() < deadline);
    } finally {
      this.#saving.delete(file);
    }
    await this.#retry(outcome, file); // what it answers now is shown
  }

  /** Repeats a command of the chat, and shows its success as that of the chat. */
  async #retry({ command, provider, sessionId }: CommandOutcome, file: string): Promise<CommandOutcome> {
    const outcome = await run(this.server, command, { provider, sessionId }, file);
    if (outcome.status !== "error") {
      this.#showInStatusBar(outcome);
    }
    return outcome;
  }
}

function openDocument(file: string): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find(({ uri }) => uri.fsPath === file);
}

/** Runs a command on a session, by the name that an outcome gave. */
export async function run(
  server: Server,
  command: string,
  { provider, sessionId }: SessionParams,
  file?: string,
): Promise<CommandOutcome> {
  if (!isCommandName(command)) {
    throw new Error(`this version of the extension does not know the command ${command}`);
  }
  const params = { provider, sessionId, ...(file === undefined ? {} : { path: file }) };
  return server.request(ExecuteCommand, commandParams(command, params));
}
