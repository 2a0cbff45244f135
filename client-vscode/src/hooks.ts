// Installs the hooks with which assistants show Kato's answers in the chat. The user sees each change before it is made.

import * as os from "node:os";
import * as vscode from "vscode";
import { offer, reported } from "./offer";
import { run, type Ran } from "./run";
import type { Server } from "./server";
import { changedFiles } from "./text";

const SCHEME = "kato-changes";
const TIMEOUT_MS = 60_000;
/** The program that the hooks call. A later version of the extension has its private server elsewhere. */
const PROGRAM = "hooksProgram";

export class Hooks implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #subscriptions: vscode.Disposable;
  #diff = "";

  constructor(
    private readonly server: Server,
    private readonly state: vscode.Memento,
  ) {
    this.#subscriptions = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      server.onDidChangeState(({ kind }) => void (kind === "running" ? this.#check() : undefined)),
    );
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }

  provideTextDocumentContent(): string {
    return this.#diff;
  }

  /** Shows what would be written, and writes it if the user agrees. */
  async install(): Promise<void> {
    const program = this.server.program;
    if (program === undefined) {
      const reason = "the setting kato.server.command starts the server in a way that other commands cannot use";
      await vscode.window.showWarningMessage(`Kato cannot install its hooks: ${reason}. Run “kato hooks install”.`);
      return;
    }
    const planned = await this.#hooks(program, "install", "--dry-run");
    if (planned.code !== 0) {
      await vscode.window.showErrorMessage(`Kato cannot install its hooks: ${lastLine(planned)}`);
      return;
    }
    const home = os.homedir();
    const files = changedFiles(planned.output).map((file) =>
      file.startsWith(home) ? `~${file.slice(home.length)}` : file,
    );
    if (files.length === 0) {
      await this.state.update(PROGRAM, program.join(" "));
      this.#offerRemoval("Kato's hooks are installed already.", program);
      return;
    }
    await this.#show(planned.output);
    const question = `Kato's hooks change ${files.join(" and ")}, as shown. An assistant then shows the outcome of a :: command in the chat.`;
    if ((await vscode.window.showInformationMessage(question, "Install Hooks", "Cancel")) !== "Install Hooks") {
      return;
    }
    const done = await this.#hooks(program, "install");
    if (done.code !== 0) {
      await vscode.window.showErrorMessage(`Kato could not install its hooks: ${lastLine(done)}`);
      return;
    }
    await this.state.update(PROGRAM, program.join(" "));
    const trust = files.some((file) => file.includes(".codex"))
      ? " Codex runs a new hook only when you trust it: type /hooks in Codex."
      : "";
    this.#offerRemoval(`Kato's hooks are installed in ${files.join(" and ")}.${trust}`, program);
  }

  #offerRemoval(message: string, program: readonly string[]): void {
    reported(offer(message, { "Remove Hooks": () => this.#remove(program) }, "info"));
  }

  async #remove(program: readonly string[]): Promise<void> {
    const done = await this.#hooks(program, "uninstall");
    if (done.code === 0) {
      await this.state.update(PROGRAM, undefined);
      await vscode.window.showInformationMessage("Kato removed its hooks.");
    } else {
      await vscode.window.showErrorMessage(`Kato could not remove its hooks: ${lastLine(done)}`);
    }
  }

  async #show(diff: string): Promise<void> {
    this.#diff = diff;
    // A path of its own each time: the editor keeps the text of a path that it has.
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/Changes by Kato's hooks.diff`, query: String(Date.now()) });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: true });
  }

  /** Offers to install the hooks again if they call a server that this version does not use any more. */
  async #check(): Promise<void> {
    const [known, program] = [this.state.get<string>(PROGRAM), this.server.program?.join(" ")];
    if (known === undefined || program === undefined || known === program) {
      return;
    }
    await this.state.update(PROGRAM, program); // asked once
    const question = "Kato's server was updated. The hooks of your assistants still call the earlier one.";
    if ((await vscode.window.showInformationMessage(question, "Update Hooks…")) !== undefined) {
      await this.install();
    }
  }

  #hooks(program: readonly string[], ...args: string[]): Promise<Ran> {
    return run([...program, "hooks", ...args], { timeoutMs: TIMEOUT_MS });
  }
}

function lastLine({ output }: Ran): string {
  return output.trim().split("\n").at(-1) ?? "no reason was given";
}
