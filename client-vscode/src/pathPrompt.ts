// Asks for the file of a capture or an export. The server says of each path whether it may write there, before Enter.

import { promises as fs } from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { fromFolder, unused } from "./destination";
import { named, relative } from "./offer";
import { FindDestination } from "./protocol";
import type { Server } from "./server";
import { nameOfFolder } from "./sessions";
import type { Destination, RecordingStatus, SessionParams } from "./structs";

/** Milliseconds without a key after which a path is checked. */
const PAUSE_MS = 150;
export const BACK = Symbol("back");

export type Format = "markdown" | "jsonl";

/** Where a question stands in a series. Without `of`, it is the only one. */
export interface Step {
  title: string;
  step?: number;
  of?: number;
}

const BROWSE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("folder-opened"), tooltip: "Browse…" };

/** The path that the user confirms; BACK for the question before it; undefined if the user cancels. */
export async function askPath(
  server: Server,
  session: SessionParams & { cwd?: string; recording?: RecordingStatus },
  step: Step,
  format?: Format,
): Promise<string | typeof BACK | undefined> {
  const key = { provider: session.provider, sessionId: session.sessionId };
  const proposed = await propose(server, key, format);
  // A conversation has one note: a second capture goes there. An export gets a name that is free.
  const own = format === undefined ? session.recording?.outputPath : undefined;
  return new PathPrompt(server, key, session.cwd, own, step, format).ask(proposed);
}

/** The path that the server proposes, the same as for a command in the chat. */
async function propose(server: Server, key: SessionParams, format?: Format): Promise<string> {
  const asked = { ...key, ...(format === undefined ? {} : { format }) };
  const { path: proposed } = await server.request(FindDestination, asked);
  return format === undefined ? proposed : unused(proposed, isThere);
}

export async function isThere(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

class PathPrompt {
  readonly #input = vscode.window.createInputBox();
  #timer: NodeJS.Timeout | undefined;
  #isBrowsing = false;
  /** The path that Kato may not write, if the last one that was checked is one. */
  #refused: string | undefined;
  #settle: (answer: string | typeof BACK | undefined) => void = () => undefined;

  constructor(
    private readonly server: Server,
    private readonly key: SessionParams,
    /** The conversation's folder, from which a relative path starts. */
    private readonly folder: string | undefined,
    private readonly own: string | undefined,
    private readonly step: Step,
    private readonly format: Format | undefined,
  ) {}

  ask(proposed: string): Promise<string | typeof BACK | undefined> {
    const input = this.#input;
    const { title, step, of } = this.step;
    input.title = title;
    input.prompt =
      this.folder === undefined
        ? "The file to write."
        : `The file to write: a path in ${nameOfFolder(this.folder)}, or an absolute one.`;
    input.buttons = [...(step !== undefined && step > 1 ? [vscode.QuickInputButtons.Back] : []), BROWSE];
    if (step !== undefined && of !== undefined) {
      input.step = step;
      input.totalSteps = of;
    }
    input.ignoreFocusOut = true; // the user may look something up, or browse
    this.#fill(proposed);
    input.onDidChangeValue(() => this.#soon());
    input.onDidTriggerButton((button) => {
      if (button === BROWSE) {
        void this.#browse();
      } else {
        this.#end(BACK);
      }
    });
    input.onDidAccept(() => void this.#accept());
    input.onDidHide(() => {
      if (!this.#isBrowsing) {
        this.#end(undefined);
      }
    });
    input.show();
    return new Promise((resolve) => (this.#settle = resolve));
  }

  #end(answer: string | typeof BACK | undefined): void {
    clearTimeout(this.#timer);
    this.#settle(answer);
    this.#isBrowsing = true; // the disposal hides it
    this.#input.dispose();
  }

  /** Shows a path with its name selected. */
  #fill(whole: string): void {
    const file = fromFolder(whole, this.folder);
    const start = file.length - path.basename(file).length;
    this.#input.value = file;
    this.#input.valueSelection = [start, Math.max(start, file.length - path.extname(file).length)];
    void this.#check();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), PAUSE_MS);
  }

  async #check(): Promise<void> {
    const typed = this.#input.value.trim();
    const { path: file, error } = await this.#destination(typed);
    if (typed !== this.#input.value.trim()) {
      return; // a later check answers
    }
    // The command offers to allow a folder that is outside: Enter is the way to it.
    const isOutside = error?.rule === "outside";
    this.#refused = error === undefined || isOutside ? undefined : typed;
    if (error !== undefined) {
      const message = named(error.message, error.path);
      this.#input.validationMessage = isOutside
        ? {
            message: `${relative(file)} is outside the allowed folders. Press Enter to choose whether Kato may write there.`,
            severity: vscode.InputBoxValidationSeverity.Warning,
          }
        : { message: `${message.replace(/\.$/, "")}.`, severity: vscode.InputBoxValidationSeverity.Error };
    } else if (file !== this.own && (await isThere(file))) {
      this.#input.validationMessage = {
        message: "This file exists. Kato copies text that it did not write to a backup first.",
        severity: vscode.InputBoxValidationSeverity.Info,
      };
    } else {
      this.#input.validationMessage = undefined;
    }
  }

  async #destination(typed: string): Promise<Destination> {
    if (typed === "") {
      return { path: "", error: { code: 0, message: "Enter the path of the file to write" } };
    }
    // If the server has ended, the command reports it.
    return this.server.request(FindDestination, { ...this.key, path: typed }).catch(() => ({ path: typed }));
  }

  async #accept(): Promise<void> {
    clearTimeout(this.#timer);
    this.#input.busy = true;
    await this.#check();
    this.#input.busy = false;
    const typed = this.#input.value.trim();
    if (this.#refused !== typed) {
      this.#end(typed);
    }
  }

  async #browse(): Promise<void> {
    this.#isBrowsing = true;
    const { path: file } = await this.#destination(this.#input.value.trim());
    const filters: Record<string, string[]> =
      this.format === "jsonl" ? { "JSON Lines": ["jsonl"] } : { Markdown: ["md", "markdown"], Text: ["txt"] };
    const chosen = await vscode.window.showSaveDialog({
      title: this.step.title,
      saveLabel: "Choose",
      filters,
      ...(file === "" ? {} : { defaultUri: vscode.Uri.file(file) }),
    });
    this.#input.show();
    this.#isBrowsing = false;
    if (chosen !== undefined) {
      this.#fill(chosen.fsPath);
    }
  }
}
