// The server's edits of notes that are open in this window.
//
// Rule: an edit is for one version of one document. A document that was clean before the edit is saved after it; a document with
// the user's own unsaved changes never is.

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, WorkspaceEdit } from "vscode-languageclient/node";
import type { FileOperations } from "./fileOperations";
import { showsItsFile, type UnsavedDocuments } from "./unsaved";

/** Milliseconds after a key during which the user may go on typing, and the most that an edit waits for a pause. */
const TYPING_PAUSE_MS = 700;
const TYPING_MS_MAX = 5000;

/** The documents that the server follows: those whose names may be a note's. */
export const NOTES = [{ scheme: "file", pattern: "**/*.{md,markdown,mdx,mdown,txt,jsonl}" }];

/** Applies the server's edits, which put text at the end of one open note, so that they do not separate the user's words. */
export class NoteEdits implements vscode.Disposable {
  readonly #changedAt = new WeakMap<vscode.TextDocument, number>();
  readonly #subscription = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
    if (contentChanges.length > 0) {
      this.#changedAt.set(document, Date.now());
    }
  });

  constructor(
    private readonly operations: FileOperations,
    private readonly unsaved: UnsavedDocuments,
  ) {}

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
    const wasClean = !this.unsaved.has(document);
    // Saving a document that does not show its file would conflict with the file, or bring back one that is gone.
    const isCurrent = !wasClean || (await showsItsFile(document));
    if (
      document.version !== version ||
      this.unsaved.has(document) === wasClean ||
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
      if (wasClean) {
        await document.save();
      }
    }
    return { applied };
  }

  /** Waits for a pause while the user types at the end of an unsaved note: an edit would separate their words. */
  async #quiet(document: vscode.TextDocument): Promise<void> {
    const until = Date.now() + TYPING_MS_MAX;
    for (;;) {
      const wait = (this.#changedAt.get(document) ?? 0) + TYPING_PAUSE_MS - Date.now();
      if (
        !this.unsaved.has(document) ||
        wait <= 0 ||
        Date.now() + wait > until ||
        editorsAtEnd(document).length === 0
      ) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function editorsAtEnd(document: vscode.TextDocument): vscode.TextEditor[] {
  const end = document.lineAt(document.lineCount - 1).range.end;
  return vscode.window.visibleTextEditors.filter(
    (editor) => editor.document === document && editor.selections.some(({ active }) => active.isEqual(end)),
  );
}
