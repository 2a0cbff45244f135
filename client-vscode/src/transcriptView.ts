// A conversation as a rendered page: opened at its newest end or at a message that a search found, and followed while it goes on.
//
// Rule: the page shows a part of the conversation, so that it is as fast for a long one. Its text is that of the assistant and of
// programs: the page runs no script but its own and loads nothing.

import * as vscode from "vscode";
import { ReadSession, RenderSession } from "./protocol";
import type { Server } from "./server";
import { folderShown } from "./sessionTree";
import { joined } from "./sessions";
import { workspaceFolders, workspaceSessions } from "./sessionList";
import type { RenderedSession, SessionParams } from "./structs";
import { moment } from "./text";
import { fillPanel } from "./webviewPage";

const VIEW_TYPE = "kato.transcript";
/** Bytes of Markdown that are shown at first, and after each request for earlier messages. */
const STEPS = [256 * 1024, 1024 * 1024, 2 * 1024 * 1024] as const;
/** An event number that no conversation has: the newest part. */
const NEWEST = Number.MAX_SAFE_INTEGER;

/** A conversation to show. The rest is kept with the page, so that it comes back after a reload of the window. */
export interface Shown extends SessionParams {
  title: string;
  cwd?: string;
  at?: string;
}

/** A message that a search found, with the words that are marked in it. */
export interface Place {
  seq: number;
  words: string[];
}

/** Where the page scrolls to, other than a message: its end, where it is, or where it is seen from the end. */
type Kept = "end" | "keep" | "keepEnd";

/** The data that are posted to the page. `position` is where it scrolls to: a line of the Markdown, or another place. */
export interface TranscriptPage {
  shown: Shown;
  about: string;
  html: string;
  hasEarlier: boolean;
  isAll: boolean;
  hasLater: boolean;
  position: Kept | number;
  words: string[];
}

/** What the page posts. */
export type PageMessage =
  { kind: "ready" | "earlier" | "newest" | "capture" | "export" | "markdown" } | { kind: "atEnd"; value: boolean };

export class TranscriptView implements vscode.WebviewPanelSerializer, vscode.Disposable {
  readonly #subscriptions: vscode.Disposable[];
  #panel: vscode.WebviewPanel | undefined;
  #shown: Shown | undefined;
  #place: Place | undefined;
  #step = 0;
  #isAtEnd = true;
  /** How many events the conversation had when it was drawn. */
  #events: number | undefined;
  #drawing: Promise<void> | undefined;
  /** What is to be drawn next. */
  #due: { position: Kept | undefined } | undefined;
  #drawn: RenderedSession | undefined;

  constructor(
    private readonly server: Server,
    private readonly extension: vscode.Uri,
    /** Opens the Markdown, where the editor has no renderer. */
    private readonly openSource: (shown: Shown) => Promise<void>,
  ) {
    this.#subscriptions = [
      vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, this),
      server.onDidChangeStatus(() => void this.#follow()),
    ];
  }

  dispose(): void {
    this.#panel?.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Shows a conversation at its newest end, or at a place in it. */
  async show(shown: Shown, place?: Place): Promise<void> {
    this.#set(shown, place);
    if (this.#panel === undefined) {
      this.#attach(vscode.window.createWebviewPanel(VIEW_TYPE, shown.title, vscode.ViewColumn.Active, OPTIONS));
    } else {
      this.#panel.reveal(undefined, true);
      await this.#draw();
    }
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const shown = state as Shown | undefined;
    if (shown === undefined || this.#panel !== undefined) {
      panel.dispose();
      return;
    }
    this.#set(shown, undefined);
    this.#attach(panel);
    await this.server.start();
  }

  #set(shown: Shown, place: Place | undefined): void {
    this.#shown = shown;
    this.#place = place;
    this.#step = 0;
    this.#events = undefined;
    this.#isAtEnd = place === undefined;
  }

  #attach(panel: vscode.WebviewPanel): void {
    this.#panel = panel;
    panel.onDidDispose(() => (this.#panel = undefined));
    panel.webview.onDidReceiveMessage((message: PageMessage) => void this.#received(message));
    fillPanel(panel, this.extension, { name: "transcript", title: "Conversation", body: BODY });
  }

  async #received(message: PageMessage): Promise<void> {
    const shown = this.#shown;
    if (shown === undefined) {
      return;
    }
    switch (message.kind) {
      case "ready":
        return this.#draw();
      case "atEnd":
        this.#isAtEnd = message.value;
        return;
      case "earlier":
        this.#step = Math.min(this.#step + 1, STEPS.length - 1);
        return this.#draw("keepEnd");
      case "newest":
        this.#set(shown, undefined);
        return this.#draw();
      default: {
        const command = { capture: "captureConversation", export: "exportConversation", markdown: "openMarkdown" };
        await vscode.commands.executeCommand(`kato.${command[message.kind]}`, { kind: "session", session: shown });
      }
    }
  }

  /** Draws again if the conversation went on. A reader of earlier messages is not disturbed. */
  async #follow(): Promise<void> {
    const shown = this.#shown;
    if (this.#panel?.visible !== true || shown === undefined || this.#events === undefined) {
      return;
    }
    const events = await this.#count(shown);
    if (this.#shown === shown && events !== undefined && events !== this.#events) {
      if (this.#isAtEnd || this.#drawn?.truncatedBefore !== true) {
        this.#events = events;
        await this.#draw(this.#isAtEnd ? "end" : "keep");
      }
    }
  }

  /** How many events the conversation has. */
  async #count({ provider, sessionId }: Shown): Promise<number | undefined> {
    const beyond = { provider, sessionId, after: NEWEST, limit: 1 };
    const page = await this.server.request(ReadSession, beyond).catch(() => undefined);
    return page?.total;
  }

  /** Draws the page, and once more if something changed meanwhile. */
  #draw(position?: Kept): Promise<void> {
    // A conversation that is opened is not drawn at the place of the one before.
    const isNew = this.#due !== undefined && this.#due.position === undefined;
    this.#due = { position: isNew ? undefined : position };
    this.#drawing ??= this.#drawAll().finally(() => (this.#drawing = undefined));
    return this.#drawing;
  }

  async #drawAll(): Promise<void> {
    while (this.#due !== undefined) {
      const { position } = this.#due;
      this.#due = undefined;
      await this.#drawOnce(position);
    }
  }

  async #drawOnce(position?: Kept): Promise<void> {
    const [panel, shown] = [this.#panel, this.#shown];
    if (panel === undefined || shown === undefined) {
      return;
    }
    try {
      panel.title = shown.title;
      const { provider, sessionId } = shown;
      const around = this.#place?.seq ?? NEWEST;
      const maxBytes = STEPS[this.#step] ?? STEPS[0];
      this.#events = await this.#count(shown);
      const drawn = await this.server.request(RenderSession, { provider, sessionId, around, maxBytes, asPage: true });
      const html = await vscode.commands.executeCommand<string>("markdown.api.render", drawn.markdown);
      this.#drawn = drawn;
      const folder = folderShown(shown.cwd, workspaceFolders());
      const page: TranscriptPage = {
        shown,
        about: joined([await this.#assistant(provider), folder, shown.at === undefined ? "" : moment(shown.at)]),
        html,
        hasEarlier: drawn.truncatedBefore === true,
        isAll: this.#step === STEPS.length - 1,
        hasLater: drawn.truncated,
        position: position ?? (this.#place === undefined ? "end" : (drawn.line ?? 0)),
        words: this.#place?.words ?? [],
      };
      await panel.webview.postMessage(page);
    } catch (error) {
      await this.#failed(shown, error);
    }
  }

  /** The assistant's name. The server names an assistant once it has a conversation of it. */
  async #assistant(provider: string): Promise<string> {
    const { nameOf } = await workspaceSessions(this.server, 1);
    return nameOf(provider);
  }

  async #failed(shown: Shown, error: unknown): Promise<void> {
    const commands = await vscode.commands.getCommands(true);
    if (!commands.includes("markdown.api.render")) {
      this.#panel?.dispose();
      await this.openSource(shown);
    } else {
      const reason = error instanceof Error ? error.message : String(error);
      void vscode.window.showErrorMessage(`Kato cannot show “${shown.title}”: ${reason}`);
    }
  }
}

const OPTIONS: vscode.WebviewPanelOptions & vscode.WebviewOptions = { enableScripts: true, enableFindWidget: true };

const BODY = `<header>
<div><h1 id="title"></h1><p id="about"></p></div>
<nav><button id="capture">Capture…</button><button id="export">Export…</button><button id="markdown">Open as Markdown</button></nav>
</header>
<p id="earlier" hidden><button>Show Earlier Messages</button></p>
<p id="cut" hidden>Earlier messages are not shown here. Capture or export the conversation to read all of it.</p>
<main id="content"></main>
<p id="later" hidden><button>Go to the Newest Message</button></p>`;
