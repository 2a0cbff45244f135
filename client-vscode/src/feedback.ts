// What the user sees of commands that ran in the chat, of failures, and of a server that cannot go on: quiet when all is
// well, with a cure when it is not.

import * as path from "node:path";
import * as vscode from "vscode";
import { shown, text, withRelative, type Remedy } from "./notices";
import { Method, type CommandOutcome, type Notice } from "./protocol";
import type { Failure, Server } from "./server";
import { isLimit } from "./settings";
import { megabytes } from "./text";

const QUIET_MS = 20_000;
const DONE: Record<string, string> = {
  capture: "Captured to",
  record: "Records to",
  export: "Exported to",
  init: "Prepared",
  stop: "Stopped recording",
};

const showLog = (): Thenable<unknown> => vscode.commands.executeCommand("kato.showLog");

const relative = (file: string): string => vscode.workspace.asRelativePath(file);

/** Settings that cannot be written, because of an error in the file for example. */
class SettingNotWritten extends Error {}

/** A remedy that fails is shown as well. */
function reported(work: Promise<void>): void {
  work.catch(async (error: unknown) => {
    const actions = error instanceof SettingNotWritten ? ["Open User Settings"] : [];
    const chosen = await vscode.window.showErrorMessage(
      `Kato: ${error instanceof Error ? error.message : String(error)}`,
      ...actions,
    );
    await (chosen === undefined ? undefined : vscode.commands.executeCommand("workbench.action.openSettingsJson"));
  });
}

export class Feedback implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("outcome", vscode.StatusBarAlignment.Right, 89);
  readonly #subscriptions: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    private readonly state: vscode.Memento,
    private readonly sendSettings: () => Promise<void>,
  ) {
    this.#item.name = "Kato Command";
    this.#subscriptions = [
      this.#item,
      server.onDidExecute((outcome) => reported(this.#executed(outcome))),
      server.onDidNotice((notice) => reported(this.#noticed(notice))),
      server.onDidFail((failure) => reported(this.#failed(failure))),
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
    this.#item.text =
      status === "noop"
        ? `$(info) Kato: nothing to do for ::${command}`
        : `$(check) ${DONE[command] ?? command}${name}${outputPath === undefined ? "" : " — Open"}`;
    this.#item.tooltip = outputPath;
    this.#item.command =
      outputPath === undefined
        ? undefined
        : { command: "vscode.open", title: "Open", arguments: [vscode.Uri.file(outputPath)] };
    this.#item.show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#item.hide(), QUIET_MS);
  }

  async #commandFailed({ command, origin, provider, sessionId, error }: CommandOutcome): Promise<void> {
    const file = error?.path;
    const reason = withRelative(error?.message ?? "unknown reason", file, relative);
    const message = `Kato: ${origin === "chat" ? `::${command}` : command} failed: ${reason}`;
    const again = async (): Promise<void> => {
      const cured = await this.#run(command, { provider, sessionId, path: file });
      if (cured.status !== "error") {
        this.#quietly(cured); // the chat asked for it, so its outcome is shown as that of the chat
      }
    };
    if (error?.rule === "outside" && file !== undefined) {
      await this.#offer(message, {
        "Allow this folder": async () => {
          await this.#allow(path.dirname(file));
          await again();
        },
        "Open Settings": () => this.#openSettings("kato.allowedWriteRoots"),
      });
    } else if (error?.rule === "unsaved" && file !== undefined) {
      await this.#offer(message, {
        "Save and Retry": async () => {
          await vscode.workspace.textDocuments.find(({ uri }) => uri.fsPath === file)?.save();
          await again();
        },
      });
    } else {
      await this.#offer(message, { "Show Log": showLog });
    }
  }

  #run(
    command: string,
    session: { provider: string; sessionId: string; path?: string | undefined },
  ): Promise<CommandOutcome> {
    return this.server.request<CommandOutcome>(Method.executeCommand, {
      command: `kato.${command}`,
      arguments: [session],
    });
  }

  /** Adds a folder to those that the user allowed, in every window: it is the user's machine, not the project's. */
  async #allow(folder: string): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    const allowed = configuration.inspect<string[]>("allowedWriteRoots")?.globalValue ?? [];
    await this.#set("allowedWriteRoots", [...new Set([...allowed, folder])], vscode.ConfigurationTarget.Global);
    await this.sendSettings();
  }

  async #set(name: string, value: unknown, target: vscode.ConfigurationTarget): Promise<void> {
    try {
      await vscode.workspace.getConfiguration("kato").update(name, value, target);
    } catch (error) {
      throw new SettingNotWritten(
        `kato.${name} was not changed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #openSettings(query: string): Thenable<unknown> {
    return vscode.commands.executeCommand("workbench.action.openSettings", query);
  }

  async #noticed(notice: Notice): Promise<void> {
    const found = shown(notice, relative);
    if (found === undefined) {
      return;
    }
    const data = notice.data ?? {};
    const session = { provider: text(data.provider) ?? "", sessionId: text(data.sessionId) ?? "" };
    const key = text(data.key);
    const actions: Record<Remedy, () => unknown> = {
      Recreate: () => this.#run("capture", { ...session, path: text(data.path) }),
      "Stop Recording": () => this.#run("stop", session),
      "Open Backup": () => vscode.window.showTextDocument(vscode.Uri.file(text(data.backupPath) ?? "")),
      "Raise Limit…": () => this.raiseLimit(),
      "Open Settings": () => this.#openSettings(key === undefined ? "@ext:kato.kato" : `kato.${key}`),
      "Restart Now": () => this.server.restart(),
      "Show Log": showLog,
    };
    await this.#offer(
      found.message,
      Object.fromEntries(found.remedies.map((name) => [name, actions[name]])),
      found.severity,
    );
  }

  async #failed(failure: Failure): Promise<void> {
    const log = { "Show Log": showLog };
    const retry = { Retry: () => this.server.restart() };
    switch (failure.kind) {
      case "setup": {
        const { cure, message } = failure.error;
        const first =
          cure === "python"
            ? { "Choose Python…": () => this.#choosePython(), ...retry }
            : cure === "settings"
              ? { "Open Settings": () => this.#openSettings("kato.server"), ...retry }
              : retry;
        await this.#offer(message, { ...first, ...log });
        return;
      }
      case "settings": {
        const { fault } = failure;
        const what = fault === undefined ? "its settings are invalid; the log says which" : fault.message;
        await this.#offer(`Kato's server does not start: ${what}.`, {
          "Open Settings": () => this.#openSettings(fault === undefined ? "@ext:kato.kato" : `kato.${fault.key}`),
          ...retry,
          ...log,
        });
        return;
      }
      case "budget":
        // Without a journal memory was all there was.
        await this.#offer(
          `Kato stopped${this.server.status?.memory.journal ? ", nothing is lost" : ""}: ${failure.reason}`,
          {
            "Raise limit…": () => this.raiseLimit(),
            Restart: () => this.server.restart(),
          },
        );
        return;
      case "crash":
        await this.#offer(`Kato's server is stopped: ${failure.reason}.`, {
          Restart: () => this.server.restart(),
          ...log,
        });
    }
  }

  /** Asks for a new memory limit, sets it and starts the server. */
  async raiseLimit(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    // The limit in force may come from the environment or the configuration file.
    const inForce = this.server.status?.memory.daemonMaxMemoryBytes;
    const now = inForce === undefined ? configuration.get<number>("daemonMaxMemoryMb", 200) : megabytes(inForce);
    const answer = await vscode.window.showInputBox({
      title: "Kato: Memory Limit",
      prompt: `The most memory, in MB, that Kato's server may take (now ${now}).`,
      value: String(now * 2),
      validateInput: (value) => (isLimit(value) ? undefined : "A whole number of megabytes, from 1 to 1,000,000."),
    });
    if (answer === undefined) {
      return;
    }
    const inWorkspace = configuration.inspect<number>("daemonMaxMemoryMb")?.workspaceValue !== undefined;
    await this.#set(
      "daemonMaxMemoryMb",
      Number(answer.trim()),
      inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global,
    );
    await this.server.start(); // one that runs takes the change as it is
  }

  async #choosePython(): Promise<void> {
    const [chosen] =
      (await vscode.window.showOpenDialog({
        title: "Choose a Python, 3.10 or newer",
        canSelectMany: false,
        openLabel: "Choose",
      })) ?? [];
    if (chosen !== undefined) {
      const configuration = vscode.workspace.getConfiguration("kato");
      const isKnown = configuration.get<string>("server.python") === chosen.fsPath;
      await this.#set("server.python", chosen.fsPath, vscode.ConfigurationTarget.Global);
      if (isKnown) {
        await this.server.restart(); // else the changed setting does
      }
    }
  }

  async #offer(
    message: string,
    actions: Record<string, () => unknown>,
    severity: Notice["severity"] = "error",
  ): Promise<void> {
    const show = {
      error: vscode.window.showErrorMessage,
      warning: vscode.window.showWarningMessage,
      info: vscode.window.showInformationMessage,
    }[severity];
    const chosen = await show(message, ...Object.keys(actions));
    if (chosen !== undefined) {
      await actions[chosen]?.();
    }
  }
}
