// What happened to a conversation is shown in one window: the one where the user is. Several windows may have the same folder
// open, each with its own server, and any of them may run a command of the chat.
//
// A window without the focus puts the message into a folder that all windows watch. The window that removes the file shows it:
// one that has the focus and shares a folder takes it, otherwise the first window takes it back after a moment.

import { randomUUID } from "node:crypto";
import { promises as fs, watch, type FSWatcher } from "node:fs";
import * as path from "node:path";

/** Milliseconds that a window with the focus has to take a message. */
const OFFER_MS = 500;
/** Milliseconds after which a message belongs to a window that ended meanwhile. */
const STALE_MS = 60_000;

/** The window that a relay belongs to. */
export interface Place {
  hasFocus: () => boolean;
  folders: () => readonly string[];
}

interface Offer<T> {
  folders: readonly string[];
  message: T;
}

export class Relay<T> {
  #watcher: FSWatcher | undefined;

  /** `storage` is a folder of this relay alone, on the machine of all windows. */
  constructor(
    private readonly storage: string,
    private readonly place: Place,
    private readonly show: (message: T) => void,
  ) {}

  /** Takes messages of other windows from now on. */
  async listen(): Promise<void> {
    await fs.mkdir(this.storage, { recursive: true });
    await this.#removeStale();
    this.#watcher = watch(this.storage, (_, name) => {
      if (name?.endsWith(".json") === true && this.place.hasFocus()) {
        void this.#take(path.join(this.storage, name));
      }
    });
    this.#watcher.on("error", () => this.dispose()); // each window then shows its own
  }

  dispose(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /** Shows the message, here or in the window where the user is. */
  async publish(message: T): Promise<void> {
    if (this.place.hasFocus() || this.#watcher === undefined || !(await this.#isTakenElsewhere(message))) {
      this.show(message);
    }
  }

  async #isTakenElsewhere(message: T): Promise<boolean> {
    const file = path.join(this.storage, `${randomUUID()}.json`);
    const offer: Offer<T> = { folders: this.place.folders(), message };
    try {
      await fs.writeFile(`${file}.new`, JSON.stringify(offer), { mode: 0o600 });
      await fs.rename(`${file}.new`, file);
    } catch {
      return false; // a full disk, for example
    }
    await new Promise((resolve) => setTimeout(resolve, OFFER_MS));
    return !(await removed(file));
  }

  async #take(file: string): Promise<void> {
    try {
      const { folders, message } = JSON.parse(await fs.readFile(file, "utf8")) as Offer<T>;
      if (share(folders, this.place.folders()) && (await removed(file))) {
        this.show(message);
      }
    } catch {
      // another window took it
    }
  }

  async #removeStale(): Promise<void> {
    for (const name of await fs.readdir(this.storage)) {
      const file = path.join(this.storage, name);
      const stat = await fs.stat(file).catch(() => undefined);
      if (stat !== undefined && Date.now() - stat.mtimeMs > STALE_MS) {
        await removed(file);
      }
    }
  }
}

/** Removes the file. False if another window did it. */
async function removed(file: string): Promise<boolean> {
  return fs.unlink(file).then(
    () => true,
    () => false,
  );
}

/** Whether two windows have a folder in common, or one has a folder inside one of the other. Windows without folders show all. */
export function share(one: readonly string[], other: readonly string[]): boolean {
  const isIn = (inner: string, outer: string): boolean => `${inner}${path.sep}`.startsWith(`${outer}${path.sep}`);
  return one.length === 0 || other.length === 0 || one.some((a) => other.some((b) => isIn(a, b) || isIn(b, a)));
}
