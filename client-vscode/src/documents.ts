// Notes that are open in this window: what is unsaved is reported to the server, and the server's edits are applied.
//
// Rule: an edit is for one version of one document. A document that was clean before is saved after it; one with the user's
// own unsaved changes never is.

import * as vscode from "vscode";
import type { ApplyWorkspaceEditParams, ApplyWorkspaceEditResult, WorkspaceEdit } from "vscode-languageclient/node";
import { Method } from "./protocol";

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

/** Applies an edit of the server's, which puts text at the end of one open note. */
export async function applyEdit({ edit }: ApplyWorkspaceEditParams, convert: (edit: WorkspaceEdit) => Promise<vscode.WorkspaceEdit>): Promise<ApplyWorkspaceEditResult> {
  const [change] = edit.documentChanges ?? [];
  if (change === undefined || !("textDocument" in change)) {
    return { applied: false, failureReason: "no document" };
  }
  const { uri, version } = change.textDocument;
  const converted = await convert(edit);
  const wanted = vscode.Uri.parse(uri).toString();
  const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === wanted);
  if (document === undefined || document.version !== version) {
    return { applied: false, failureReason: "another version of the document is open" };
  }
  const wasClean = !document.isDirty;
  const applied = await vscode.workspace.applyEdit(converted);
  if (applied && wasClean) {
    await document.save();
  }
  return { applied };
}
