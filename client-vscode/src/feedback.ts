// What the user sees of commands that ran in the chat, of failures, and of a server that cannot go on: quiet when all is
// well, with a cure when it is not.

import * as path from "node:path";
import * as vscode from "vscode";
import { ErrorCode, Method, type CommandOutcome } from "./protocol";
import type { Failure, Message, Server } from "./server";
import { forUsers, isLimit, rootsWith } from "./settings";
import { megabytes } from "./text";

const QUIET_MS = 20_000;
const DONE: Record<string, string> = { capture: "Captured to", record: "Records to", export: "Exported to", init: "Prepared", stop: "Stopped recording" };

export class Feedback implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("outcome", vscode.StatusBarAlignment.Right, 89);
  readonly #subscriptions: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;
  #lastFailure = "";

  constructor(
    private readonly server: Server,
    private readonly state: vscode.Memento,
    private readonly sendSettings: () => Promise<void>,
  ) {
    this.#item.name = "Kato Command";
    this.#subscriptions = [
      this.#item,
      server.onDidExecute((outcome) => void this.#executed(outcome)),
      server.onDidTell((message) => void this.#told(message)),
      server.onDidFail((failure) => void this.#failed(failure)),
    ];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** The note that was written last, in this workspace. */
  get lastCapture(): string | undefined {
    return this.state.get<string>("lastCapture");
  }

  async #executed(outcome: CommandOutcome): Promise<void> {
    if (outcome.status === "error") {
      await this.#commandFailed(outcome);
      return;
    }
    if (outcome.outputPath !== undefined && outcome.command !== "stop") {
      await this.state.update("lastCapture", outcome.outputPath);
    }
    if (outcome.origin === "chat") {
      this.#quietly(outcome);
    }
  }

  #quietly({ command, status, outputPath }: CommandOutcome): void {
    const name = outputPath === undefined ? "" : ` ${path.basename(outputPath)}`;
    this.#item.text = status === "noop" ? `$(info) Kato: nothing to do for ::${command}` : `$(check) ${DONE[command] ?? command}${name}${outputPath === undefined ? "" : " — Open"}`;
    this.#item.tooltip = outputPath;
    this.#item.command = outputPath === undefined ? undefined : { command: "vscode.open", title: "Open", arguments: [vscode.Uri.file(outputPath)] };
    this.#item.show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#item.hide(), QUIET_MS);
  }

  async #commandFailed({ command, origin, provider, sessionId, error }: CommandOutcome): Promise<void> {
    const what = origin === "chat" ? `::${command}` : command;
    const reason = error?.message ?? "unknown reason";
    this.#lastFailure = reason;
    const denied = error?.code === ErrorCode.pathDenied ? error.path : undefined;
    if (denied === undefined) {
      await this.#offer(`Kato: ${what} failed: ${reason}`, { "Show Log": () => vscode.commands.executeCommand("kato.showLog") });
      return;
    }
    await this.#offer(`Kato: ${what} failed: ${reason}`, {
      "Allow this folder": async () => {
        await this.#allow(path.dirname(denied));
        const cured = await this.server.request<CommandOutcome>(Method.executeCommand, { command: `kato.${command}`, arguments: [{ provider, sessionId, path: denied }] });
        if (cured.status !== "error") {
          this.#quietly(cured); // it is no command of the chat any more, and the user waits for a word all the same
        }
      },
      "Open Settings": () => vscode.commands.executeCommand("workbench.action.openSettings", "kato.allowedWriteRoots"),
    });
  }

  /** Adds a folder to the roots, where they are set already, else in the workspace, else for the user. */
  async #allow(folder: string): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    const found = configuration.inspect<string[]>("allowedWriteRoots");
    const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
    const roots = rootsWith(folder, configuration.get<string[]>("allowedWriteRoots"), folders, this.server.status?.recordingsDir);
    const isUsers = found?.workspaceValue === undefined && (found?.globalValue !== undefined || folders.length === 0 || !vscode.workspace.isTrusted);
    await configuration.update("allowedWriteRoots", roots, isUsers ? vscode.ConfigurationTarget.Global : vscode.ConfigurationTarget.Workspace);
    await this.sendSettings();
  }

  async #told({ type, message }: Message): Promise<void> {
    if (type === 1 && this.#lastFailure !== "" && message.includes(this.#lastFailure)) {
      this.#lastFailure = ""; // it was shown, with its cure
      return;
    }
    if (message.startsWith("Kato stops: ")) {
      return; // the end of the process tells, with what can be done
    }
    const text = message.startsWith("Kato") ? forUsers(message) : `Kato: ${message}`;
    if (message.includes("after its next start")) {
      await this.#offer(text, { "Restart Now": () => this.server.restart() }, "information");
      return;
    }
    const settings = message.startsWith("Kato keeps its settings");
    await this.#offer(
      text,
      settings ? { "Open Settings": () => vscode.commands.executeCommand("workbench.action.openSettings", "@ext:kato.kato") } : {},
      type === 1 ? "error" : type === 2 ? "warning" : "information",
    );
  }

  async #failed(failure: Failure): Promise<void> {
    const log = { "Show Log": () => vscode.commands.executeCommand("kato.showLog") };
    const retry = { Retry: () => this.server.restart() };
    switch (failure.kind) {
      case "setup": {
        const { cure, message } = failure.error;
        const first = cure === "python" ? { "Choose Python…": () => this.#choosePython(), ...retry } : cure === "settings" ? { "Open Settings": () => vscode.commands.executeCommand("workbench.action.openSettings", "kato.server"), ...retry } : retry;
        await this.#offer(message, { ...first, ...log });
        return;
      }
      case "settings": {
        const { fault } = failure;
        const what = fault === undefined ? "its settings are invalid; the log says which" : fault.message;
        await this.#offer(`Kato's server does not start: ${what}.`, {
          "Open Settings": () => vscode.commands.executeCommand("workbench.action.openSettings", fault === undefined ? "@ext:kato.kato" : `kato.${fault.key}`),
          ...retry,
          ...log,
        });
        return;
      }
      case "budget":
        // Without a journal memory was all there was.
        await this.#offer(`Kato stopped${this.server.status?.memory.journal ? ", nothing is lost" : ""}: ${failure.reason}`, {
          "Raise limit…": () => this.raiseLimit(),
          Restart: () => this.server.restart(),
        });
        return;
      case "crash":
        await this.#offer(`Kato's server is stopped: ${failure.reason}.`, { Restart: () => this.server.restart(), ...log });
    }
  }

  /** Asks for a new memory limit, sets it and starts the server. */
  async raiseLimit(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    // The limit in force may come from the environment or the configuration file.
    const inForce = this.server.status?.memory.daemonMaxMemoryBytes;
    const now = inForce === undefined ? configuration.get<number>("daemonMaxMemoryMb", 200) : megabytes(inForce);
    const text = await vscode.window.showInputBox({
      title: "Kato: Memory Limit",
      prompt: `The most memory, in MB, that Kato's server may take (now ${now}).`,
      value: String(now * 2),
      validateInput: (value) => (isLimit(value) ? undefined : "A whole number of megabytes, from 1 to 1,000,000."),
    });
    if (text === undefined) {
      return;
    }
    const inWorkspace = configuration.inspect<number>("daemonMaxMemoryMb")?.workspaceValue !== undefined;
    await configuration.update("daemonMaxMemoryMb", Number(text.trim()), inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global);
    await this.server.start(); // one that runs takes the change as it is
  }

  async #choosePython(): Promise<void> {
    const [chosen] = (await vscode.window.showOpenDialog({ title: "Choose a Python, 3.10 or newer", canSelectMany: false, openLabel: "Choose" })) ?? [];
    if (chosen !== undefined) {
      const configuration = vscode.workspace.getConfiguration("kato");
      const isKnown = configuration.get<string>("server.python") === chosen.fsPath;
      await configuration.update("server.python", chosen.fsPath, vscode.ConfigurationTarget.Global);
      if (isKnown) {
        await this.server.restart(); // else the changed setting does
      }
    }
  }

  async #offer(message: string, actions: Record<string, () => unknown>, kind: "error" | "warning" | "information" = "error"): Promise<void> {
    const show = { error: vscode.window.showErrorMessage, warning: vscode.window.showWarningMessage, information: vscode.window.showInformationMessage }[kind];
    const chosen = await show(message, ...Object.keys(actions));
    if (chosen !== undefined) {
      await actions[chosen]?.();
    }
  }
}
