// Which documents have changes that are not on disk, and the reports of it to the server.

import * as vscode from "vscode";
import type { FileOperations } from "./fileOperations";
import type { DocumentDirtyParams } from "./structs";
import { UnsavedState } from "./unsavedState";

export class UnsavedDocuments implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.TextDocument>();
  readonly #state = new UnsavedState<vscode.TextDocument>(isFile, (document) => this.#changed.fire(document));
  /** Fires when a document may have become unsaved or saved. */
  readonly onDidChange = this.#changed.event;
  readonly #subscription = vscode.Disposable.from(
    this.#changed,
    vscode.workspace.onWillSaveTextDocument(({ document }) => this.#state.saveBegins(document)),
    vscode.workspace.onDidSaveTextDocument((document) => void this.#state.saveEnds(document)),
    // A document that becomes dirty or clean raises this event too, without changes of its content.
    vscode.workspace.onDidChangeTextDocument(({ document }) => void this.#state.changes(document)),
  );

  dispose(): void {
    this.#subscription.dispose();
  }

  has(document: vscode.TextDocument): boolean {
    return this.#state.has(document);
  }
}

/**
 * Reports to the server, for the documents that it knows, whether they have unsaved changes. Create it before the language
 * client: then its listener runs first, and the server receives the report before the change.
 */
export class UnsavedReports implements vscode.Disposable {
  readonly #reported = new WeakMap<vscode.TextDocument, boolean>();
  readonly #subscription: vscode.Disposable;

  constructor(
    private readonly notify: (params: DocumentDirtyParams) => Promise<void>,
    private readonly unsaved: UnsavedDocuments,
    operations: FileOperations,
  ) {
    this.#subscription = unsaved.onDidChange((document) => {
      const reported = this.#reported.get(document);
      if (reported !== undefined && reported !== unsaved.has(document) && !operations.concern(document)) {
        void this.report(document);
      }
    });
  }

  async report(document: vscode.TextDocument): Promise<void> {
    const dirty = this.unsaved.has(document);
    this.#reported.set(document, dirty);
    await this.notify({ uri: document.uri.toString(), dirty });
  }

  dispose(): void {
    this.#subscription.dispose();
  }
}

/** Whether the text that a document shows is, to all appearances, that of its file: a text of another size is compared. */
export async function showsItsFile(document: vscode.TextDocument): Promise<boolean> {
  try {
    const { size } = await vscode.workspace.fs.stat(document.uri);
    return Buffer.byteLength(document.getText()) === size || (await isFile(document));
  } catch {
    return false; // the file is gone
  }
}

/** Whether the text that a document shows is the text of its file. */
async function isFile(document: vscode.TextDocument): Promise<boolean> {
  try {
    const data = await vscode.workspace.fs.readFile(document.uri);
    return normalised(Buffer.from(data).toString()) === normalised(document.getText());
  } catch {
    return false; // the file is gone
  }
}

/** A text without a byte order mark, and with the line ends that the editor gives to all lines. */
function normalised(text: string): string {
  return text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
}
