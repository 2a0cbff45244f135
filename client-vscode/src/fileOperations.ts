// Files and folders that the editor is renaming or deleting.

import * as vscode from "vscode";

/** The most milliseconds that renaming or deleting may take: VS Code does not report an operation that failed. */
const OPERATION_MS_MAX = 10_000;

/**
 * While VS Code renames a file, it shows a note with unsaved changes as clean, closes it under its old name and opens it under
 * the new one. An edit that is applied and saved during that time would bring the old file back.
 */
export class FileOperations implements vscode.Disposable {
  readonly #underWay = new Map<string, number>();
  readonly #ended = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[] = [
    this.#ended,
    vscode.workspace.onWillRenameFiles(({ files }) => this.#begin(files.map(({ oldUri }) => oldUri))),
    vscode.workspace.onDidRenameFiles(({ files }) => this.#end(files.map(({ oldUri }) => oldUri))),
    vscode.workspace.onWillDeleteFiles(({ files }) => this.#begin(files)),
    vscode.workspace.onDidDeleteFiles(({ files }) => this.#end(files)),
  ];

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Whether the document's file, or a folder that contains it, is being renamed or deleted. */
  concern(document: vscode.TextDocument): boolean {
    const now = Date.now();
    const name = document.uri.toString();
    return [...this.#underWay].some(
      ([uri, since]) => now - since < OPERATION_MS_MAX && (name === uri || name.startsWith(`${uri}/`)),
    );
  }

  /** Waits until the document's file has its final name, or is gone. */
  async end(document: vscode.TextDocument): Promise<void> {
    const until = Date.now() + OPERATION_MS_MAX;
    while (this.concern(document) && Date.now() < until) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        const subscription = this.#ended.event(() => {
          clearTimeout(timer);
          subscription.dispose();
          resolve();
        });
      });
    }
  }

  #begin(files: readonly vscode.Uri[]): void {
    const now = Date.now();
    [...this.#underWay]
      .filter(([, since]) => now - since >= OPERATION_MS_MAX)
      .forEach(([uri]) => this.#underWay.delete(uri));
    files.forEach((file) => this.#underWay.set(file.toString(), now));
  }

  #end(files: readonly vscode.Uri[]): void {
    files.forEach((file) => this.#underWay.delete(file.toString()));
    this.#ended.fire();
  }
}
