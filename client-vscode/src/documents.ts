// Notes that are open in this window: what is unsaved is reported to the server, and the server's edits are applied.
//
// Rule: an edit is for one version of one document. A document that was clean before is saved after it; one with the user's
// own unsaved changes never is.

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, WorkspaceEdit } from "vscode-languageclient/node";
import { Method } from "./protocol";

/** So long after a key the user is taken to go on typing; and so long at most the server waits for that. */
const TYPING_PAUSE_MS = 700;
const TYPING_MS_MAX = 5000;

/** The documents that the server hears of: those whose names may be a note's. */
export const NOTES = [{ scheme: "file", pattern: "**/*.{md,markdown,mdx,mdown,txt,jsonl}" }];

/**
 * Reports, for the documents that the server knows, whether they have unsaved changes. Made before the client starts: then
 * it hears of a change first, and the server gets the report before the change.
 */
export class UnsavedReports implements vscode.Disposable {
  readonly #reported = new WeakMap<vscode.TextDocument, boolean>();
  readonly #subscription: vscode.Disposable;

  constructor(private readonly notify: (method: string, params: unknown) => Promise<void>) {
    // That a document becomes dirty or clean is an event too, one without contents.
    this.#subscription = vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (this.#reported.has(document) && this.#reported.get(document) !== document.isDirty) {
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

  dispose(): void {
    this.#subscription.dispose();
  }

  async apply({ edit }: ApplyWorkspaceEditParams, convert: (edit: WorkspaceEdit) => Promise<vscode.WorkspaceEdit>): Promise<ApplyWorkspaceEditResult> {
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
    if (document.version !== version) {
      return { applied: false, failureReason: "the document changed" };
    }
    const wasClean = !document.isDirty;
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

function editorsAtEnd(document: vscode.TextDocument): vscode.TextEditor[] {
  const end = document.lineAt(document.lineCount - 1).range.end;
  return vscode.window.visibleTextEditors.filter((editor) => editor.document === document && editor.selections.some(({ active }) => active.isEqual(end)));
}
