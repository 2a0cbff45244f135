// Whether a document has changes that are not on disk, from what the editor reports. Pure.
//
// VS Code's `isDirty` is wrong in one case. When the user types while a document is being saved, VS Code reports the document as
// clean to extensions once the file is written, until the next key, although the last keys are not in the file. So a document
// that changed between the beginning and the end of a save counts as unsaved until its text was compared with the file.

/** The part of a document that matters here. */
export interface Saveable {
  readonly isDirty: boolean;
  readonly version: number;
}

/** `isFile` compares a document's text with its file; `changed` is called when a document may have become unsaved or saved. */
export class UnsavedState<D extends Saveable> {
  /** The version of a document when its save began. */
  readonly #saving = new WeakMap<D, number>();
  /** Documents that VS Code reports as clean, and that may not be. */
  readonly #doubtful = new WeakSet<D>();

  constructor(
    private readonly isFile: (document: D) => Promise<boolean>,
    private readonly changed: (document: D) => void,
  ) {}

  has(document: D): boolean {
    return document.isDirty || this.#doubtful.has(document);
  }

  saveBegins(document: D): void {
    this.#saving.set(document, document.version);
  }

  /** Resolves once the document was compared with its file, where that is needed. */
  async saveEnds(document: D): Promise<void> {
    const judged = this.changes(document);
    this.#saving.delete(document);
    await judged;
  }

  /** The document's text changed, or it became dirty or clean. */
  async changes(document: D): Promise<void> {
    const version = this.#saving.get(document);
    const isDoubtful = !document.isDirty && version !== undefined && version !== document.version;
    if (isDoubtful) {
      this.#doubtful.add(document);
    } else {
      this.#doubtful.delete(document);
    }
    this.changed(document);
    if (isDoubtful) {
      await this.#compare(document);
    }
  }

  /** A formatter may have changed the document during the save: then the file has all of it. */
  async #compare(document: D): Promise<void> {
    const { version } = document;
    if ((await this.isFile(document)) && document.version === version && this.#doubtful.delete(document)) {
      this.changed(document);
    }
  }
}
