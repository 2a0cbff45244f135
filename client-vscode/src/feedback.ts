// The server's notices and failures, as messages with remedies.

import * as path from "node:path";
import * as vscode from "vscode";
import { keepsLimit } from "./appearance";
import { sentence, type Failure } from "./failure";
import { isAboutConversation, shown, text, type Remedy } from "./notices";
import { offer, openSettings, relative, reported, setSetting, showLog } from "./offer";
import { run } from "./outcomes";
import { NoticeKind } from "./protocol";
import type { Server } from "./server";
import { isWithin, type Bounds } from "./settings";
import type { Notice } from "./structs";
import { megabytes } from "./text";

const EXTENSION_SETTINGS = "@ext:kato.kato";
/** The limit in force of which the user knows that the process cannot keep it. */
const LIMIT_REPORTED = "limitNotKept";

export class Feedback implements vscode.Disposable {
  readonly #subscription: vscode.Disposable;

  constructor(
    private readonly server: Server,
    private readonly limits: Bounds,
    private readonly state: vscode.Memento,
    /** Has a notice about a conversation shown in the window where the user is. */
    private readonly publish: (notice: Notice) => Promise<void>,
  ) {
    this.#subscription = vscode.Disposable.from(
      server.onDidNotice((notice) => reported(this.#noticed(notice))),
      server.onDidFail((failure) => reported(this.#failed(failure))),
      server.onDidChangeStatus((status) => {
        if (keepsLimit(status) && this.state.get(LIMIT_REPORTED) !== undefined) {
          void this.state.update(LIMIT_REPORTED, undefined);
        }
      }),
    );
  }

  dispose(): void {
    this.#subscription.dispose();
  }

  async #noticed(notice: Notice): Promise<void> {
    if (isAboutConversation(notice)) {
      await this.publish(notice);
    } else if (notice.kind !== NoticeKind.limitNotKept || (await this.#isNewLimit(notice.data?.limitBytes))) {
      await this.show(notice);
    }
  }

  /** Whether the user was not yet notified that the process cannot keep this limit. The server reports it at each start. */
  async #isNewLimit(limit: unknown): Promise<boolean> {
    const isNew = this.state.get(LIMIT_REPORTED) !== limit;
    await this.state.update(LIMIT_REPORTED, limit);
    return isNew;
  }

  /** Shows a notice, which the server of another window may have sent. */
  async show(notice: Notice): Promise<void> {
    const found = shown(notice, relative);
    if (found === undefined) {
      return;
    }
    const data = notice.data ?? {};
    const [file, backup] = [text(data.path) ?? "", text(data.backupPath) ?? ""];
    const session = { provider: text(data.provider) ?? "", sessionId: text(data.sessionId) ?? "" };
    const key = text(data.key);
    const actions: Record<Remedy, () => unknown> = {
      Recreate: () => run(this.server, "capture", session, file),
      "Stop Recording": () => run(this.server, "stop", session),
      "Open Backup": () => vscode.window.showTextDocument(vscode.Uri.file(backup)),
      Compare: () => compare(backup, file),
      "Open Note": () => vscode.window.showTextDocument(vscode.Uri.file(file)),
      "Raise Limit…": () => this.raiseLimit(),
      "Open Settings": () => openSettings(key === undefined ? EXTENSION_SETTINGS : `kato.${key}`),
      "Restart Now": () => this.server.restart(),
      "Show Log": showLog,
    };
    const offered = Object.fromEntries(found.remedies.map((name) => [name, actions[name]]));
    await offer(found.message, offered, found.severity);
  }

  async #failed(failure: Failure): Promise<void> {
    const log = { "Show Log": showLog };
    const retry = { Retry: () => this.server.restart() };
    const restart = { Restart: () => this.server.restart() };
    const message = sentence(failure);
    switch (failure.kind) {
      case "setup": {
        const { cure } = failure.error;
        const first = {
          python: { "Choose Python…": () => this.#choosePython() },
          settings: { "Open Settings": () => openSettings("kato.server") },
          retry: {},
        }[cure];
        await offer(message, { ...first, ...retry, ...log });
        return;
      }
      case "settings": {
        const { fault } = failure;
        const query = fault === undefined ? EXTENSION_SETTINGS : `kato.${fault.key}`;
        const open = { "Open Settings": () => openSettings(query) };
        await offer(message, { ...open, ...retry, ...log });
        return;
      }
      case "budget": {
        // Without a journal, the conversations were in memory only.
        const kept = this.server.status?.memory.journal ? " All conversations are in the journal." : "";
        const raise = { "Raise Limit…": () => this.raiseLimit() };
        await offer(`Kato stopped. ${message}${kept}`, { ...raise, ...restart });
        return;
      }
      case "crash":
        await offer(message, { ...restart, ...log });
    }
  }

  /** Asks for a new memory limit, sets it and starts the server if it does not run. */
  async raiseLimit(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration("kato");
    // The limit in force may come from the environment or the configuration file.
    const inForce = this.server.status?.memory.daemonMaxMemoryBytes;
    const now = inForce === undefined ? configuration.get<number>("daemonMaxMemoryMb", 200) : megabytes(inForce);
    const smallest = megabytes(this.server.status?.memory.smallestLimitBytes ?? 0);
    const { minimum, maximum } = this.limits;
    const rule = `A whole number of megabytes, from ${minimum} to ${maximum.toLocaleString("en-US")}.`;
    const answer = await vscode.window.showInputBox({
      title: "Kato: Memory Limit",
      prompt: `The most memory, in MB, that Kato's server may take (now ${now}).`,
      value: String(Math.max(now * 2, smallest)),
      validateInput: (value) => (isWithin(value, this.limits) ? undefined : rule),
    });
    if (answer === undefined) {
      return;
    }
    const inWorkspace = configuration.inspect<number>("daemonMaxMemoryMb")?.workspaceValue !== undefined;
    const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
    await setSetting("daemonMaxMemoryMb", Number(answer.trim()), target);
    await this.server.start(); // a server that runs applies the change without a start
  }

  async #choosePython(): Promise<void> {
    const title = "Choose a Python, 3.10 or newer";
    const options = { title, canSelectMany: false, openLabel: "Choose" };
    const [file] = (await vscode.window.showOpenDialog(options)) ?? [];
    if (file === undefined) {
      return;
    }
    const isUnchanged = vscode.workspace.getConfiguration("kato").get<string>("server.python") === file.fsPath;
    await setSetting("server.python", file.fsPath, vscode.ConfigurationTarget.Global);
    if (isUnchanged) {
      await this.server.restart(); // a changed setting restarts it
    }
  }
}

/** Shows what a note held next to what it holds now. */
function compare(backup: string, file: string): Thenable<unknown> {
  const title = `${path.basename(file)}: backup and note`;
  return vscode.commands.executeCommand("vscode.diff", vscode.Uri.file(backup), vscode.Uri.file(file), title);
}
