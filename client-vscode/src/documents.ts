// Notes that are open in this window: what is unsaved is reported to the server, and the server's edits are applied.
//
// Rule: an edit is for one version of one document. A document that was clean before is saved after it; one with the user's
// own unsaved changes never is.

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, WorkspaceEdit } from "vscode-languageclient/node";
import { Method } from "./protocol";

/** Milliseconds after a key during which the user may go on typing, and the most that an edit waits for a pause. */
const TYPING_PAUSE_MS = 700;
const TYPING_MS_MAX = 5000;
/** The most milliseconds that renaming or deleting may take: VS Code does not report one that failed. */
const OPERATION_MS_MAX = 10_000;

/** The documents that the server follows: those whose names may be a note's. */
export const NOTES = [{ scheme: "file", pattern: "**/*.{md,markdown,mdx,mdown,txt,jsonl}" }];

/**
 * Files and folders that the editor is just renaming or deleting. Meanwhile VS Code shows a note with unsaved changes as clean, closes
 * it under its old name and opens it under the new one: an edit that is applied and saved then would bring the old file back.
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

  concern(document: vscode.TextDocument): boolean {
    const now = Date.now();
    const name = document.uri.toString();
    return [...this.#underWay].some(
      ([uri, since]) => now - since < OPERATION_MS_MAX && (name === uri || name.startsWith(`${uri}/`)),
    );
  }

  /** Waits until the document's file is where it will be. */
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

/**
 * Reports, for the documents that the server knows, whether they have unsaved changes. Create it before the client starts: then
 * its listener runs first, and the server gets the report before the change.
 */
export class UnsavedReports implements vscode.Disposable {
  readonly #reported = new WeakMap<vscode.TextDocument, boolean>();
  readonly #subscription: vscode.Disposable;

  constructor(
    private readonly notify: (method: string, params: unknown) => Promise<void>,
    operations: FileOperations,
  ) {
    // That a document becomes dirty or clean is an event too, one without contents.
    this.#subscription = vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (
        this.#reported.has(document) &&
        this.#reported.get(document) !== document.isDirty &&
        !operations.concern(document)
      ) {
        void this.report(document);
      }
    });
  }

  async report(document: vscode.TextDocument): Promise<void> {
    this.#reported.set(document, document.isDirty);
    await this.notify(Method.documentDirty, { uri: document.uri.toString(), dirty: document.isDirty });
  }

  dispose(): void {
    this.#subscription.dispose();
  }
}

/** Applies the server's edits, which put text at the end of one open note, without getting between the user's words. */
export class NoteEdits implements vscode.Disposable {
  readonly #changedAt = new WeakMap<vscode.TextDocument, number>();
  readonly #subscription = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
    if (contentChanges.length > 0) {
      this.#changedAt.set(document, Date.now());
    }
  });

  constructor(private readonly operations: FileOperations) {}

  dispose(): void {
    this.#subscription.dispose();
  }

  async apply(
    { edit }: ApplyWorkspaceEditParams,
    convert: (edit: WorkspaceEdit) => Promise<vscode.WorkspaceEdit>,
  ): Promise<ApplyWorkspaceEditResult> {
    const [change] = edit.documentChanges ?? [];
    if (change === undefined || !("textDocument" in change)) {
      return { applied: false, failureReason: "no document" };
    }
    const { uri, version } = change.textDocument;
    const converted = await convert(edit);
    const wanted = vscode.Uri.parse(uri).toString();
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === wanted);
    if (document === undefined) {
      return { applied: false, failureReason: "the document is not open" };
    }
    await this.#quiet(document);
    const wasClean = !document.isDirty;
    // To save a document that does not show the file as it is would conflict, or bring back a file that is gone.
    const isCurrent = !wasClean || (await showsItsFile(document));
    if (
      document.version !== version ||
      document.isDirty === wasClean ||
      !isCurrent ||
      this.operations.concern(document)
    ) {
      return { applied: false, failureReason: "the document changed" };
    }
    const cursors = editorsAtEnd(document).map((editor) => ({ editor, selections: editor.selections }));
    const applied = await vscode.workspace.applyEdit(converted);
    if (applied && document.version === version + 1) {
      for (const { editor, selections } of cursors) {
        editor.selections = selections; // a cursor at the end would move along, away from the user's words
      }
    }
    if (applied && wasClean) {
      await document.save();
    }
    return { applied };
  }

  /** While the user types at the end of a note, its end is theirs. */
  async #quiet(document: vscode.TextDocument): Promise<void> {
    const until = Date.now() + TYPING_MS_MAX;
    for (;;) {
      const wait = (this.#changedAt.get(document) ?? 0) + TYPING_PAUSE_MS - Date.now();
      if (!document.isDirty || wait <= 0 || Date.now() + wait > until || editorsAtEnd(document).length === 0) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

async function showsItsFile(document: vscode.TextDocument): Promise<boolean> {
  try {
    const { size } = await vscode.workspace.fs.stat(document.uri);
    const text = document.getText();
    return (
      Buffer.byteLength(text) === size ||
      normalised(Buffer.from(await vscode.workspace.fs.readFile(document.uri)).toString()) === normalised(text)
    );
  } catch {
    return false; // it is gone
  }
}

/** Line ends as the editor makes them all one, and without a byte order mark. */
function normalised(text: string): string {
  return text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
}

function editorsAtEnd(document: vscode.TextDocument): vscode.TextEditor[] {
  const end = document.lineAt(document.lineCount - 1).range.end;
  return vscode.window.visibleTextEditors.filter(
    (editor) => editor.document === document && editor.selections.some(({ active }) => active.isEqual(end)),
  );
}
