// The sessions view. Rule: a row is drawn again only when its texts changed; the tree only when rows were added, removed or moved.

import * as vscode from "vscode";
import { setContext } from "./contexts";
import { glyph, type GlyphState } from "./glyphs";
import { relative } from "./offer";
import { ReadSession } from "./protocol";
import type { Server } from "./server";
import { ConversationList, NO_SESSIONS, workspaceFolders, workspaceSessions } from "./sessionList";
import { isRecording, lastModel, type Conversation } from "./sessions";
import {
  changes,
  explain,
  isFiltered,
  NO_FILTER,
  tree,
  type Arrangement,
  type Entry,
  type Filter,
  type SessionEntry,
} from "./sessionTree";
import { count } from "./text";

const COALESCE_MS = 250;
/** Milliseconds after which ages are drawn again ("5 min" becomes "6 min"). */
const TICK_MS = 60_000;
/** Milliseconds after which the catalogue is requested again: a log may have been deleted. */
const CATALOGUE_MS = 5 * 60_000;
/** Events at the end of a conversation that the search for its model reads. */
const MODEL_EVENTS = 20;
const ARRANGEMENT = "sessionsArrangement";

export class SessionsView implements vscode.TreeDataProvider<Entry>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Entry | Entry[] | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly list: ConversationList;
  readonly #view: vscode.TreeView<Entry>;
  readonly #subscriptions: vscode.Disposable[];
  /** When the catalogue was requested last. */
  #listedAt = 0;
  #filter = NO_FILTER;
  #roots: Entry[] = [];
  #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: Server,
    private readonly state: vscode.Memento,
  ) {
    this.list = new ConversationList(server);
    this.#view = vscode.window.createTreeView("kato.sessions", { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#view.onDidChangeVisibility(() => this.#watch()),
      server.onDidChangeStatus(({ recordings }) => {
        void this.#countRecordings(recordings.activeRecordings);
        this.#soon();
      }),
      server.onDidChangeState(({ kind }) => {
        if (kind === "running") {
          this.#watch();
        } else {
          this.#showCount(0);
          void this.#update(() => Promise.resolve());
        }
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.#watch()),
    ];
    this.#watch();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  get arrangement(): Arrangement {
    return this.state.get<Arrangement>(ARRANGEMENT, "day");
  }

  async arrange(arrangement: Arrangement): Promise<void> {
    await this.state.update(ARRANGEMENT, arrangement);
    this.#draw();
  }

  get filter(): Filter {
    return this.#filter;
  }

  set filter(filter: Filter) {
    this.#filter = filter;
    this.#draw();
  }

  /** Requests all conversations now. */
  async refresh(): Promise<void> {
    this.#listedAt = Date.now();
    await this.#update(async () => {
      await this.list.refreshHeld();
      this.#draw(); // the catalogue may have to read logs first
      await this.list.beginListed();
      this.#draw();
      await this.list.refreshListed();
    });
  }

  /** Requests older conversations than those that are listed. */
  async loadMore(): Promise<void> {
    await this.#update(() => this.list.loadMore());
  }

  getTreeItem(entry: Entry): vscode.TreeItem {
    const item = new vscode.TreeItem(entry.label, stateOf(entry));
    item.id = entry.id;
    item.description = entry.description;
    item.contextValue = entry.kind;
    if (entry.kind === "session") {
      const { session } = entry;
      item.contextValue = `session.${isRecording(session) ? "recording" : "idle"}.${session.notKept ?? "kept"}${session.recording === undefined ? "" : ".note"}`;
      item.iconPath = iconOf(session, this.list.nameOf(session.provider));
      item.command = { command: "kato.openSession", title: "Open", arguments: [entry] };
      const assistant = this.list.nameOf(session.provider);
      item.accessibilityInformation = { label: `${session.title}, ${assistant}, ${entry.description}` };
    } else if (entry.kind === "more") {
      item.iconPath = new vscode.ThemeIcon("ellipsis");
      item.command = { command: "kato.loadMoreSessions", title: entry.label };
    }
    return item;
  }

  getChildren(entry?: Entry): Entry[] {
    return entry === undefined ? this.#roots : entry.children;
  }

  getParent(entry: Entry): Entry | undefined {
    return [...this.#entries.values()].find(({ children }) => (children as readonly Entry[]).includes(entry));
  }

  /** Called when the mouse rests on a row. */
  async resolveTreeItem(item: vscode.TreeItem, entry: Entry): Promise<vscode.TreeItem> {
    if (entry.kind === "session") {
      const model = await this.#modelOf(entry);
      item.tooltip = explain(entry.session, this.list.nameOf, relative, model).join("\n");
    }
    return item;
  }

  async #modelOf({ session }: SessionEntry): Promise<string | undefined> {
    const { provider, sessionId, events = 0, place } = session;
    if (place === "log") {
      return undefined; // the request would read the log into the journal
    }
    const after = Math.max(0, events - MODEL_EVENTS);
    const page = await this.server
      .request(ReadSession, { provider, sessionId, after, limit: MODEL_EVENTS })
      .catch(() => undefined);
    return page && lastModel(page.events);
  }

  #watch(): void {
    clearInterval(this.#tick);
    if (this.#view.visible) {
      this.#tick = setInterval(() => {
        if (Date.now() - this.#listedAt >= CATALOGUE_MS) {
          void this.refresh();
        } else {
          this.#draw();
        }
      }, TICK_MS);
      void this.refresh();
    }
  }

  #soon(): void {
    if (this.#view.visible && this.#timer === undefined) {
      this.#timer = setTimeout(() => void this.#update(() => this.list.refreshHeld()), COALESCE_MS);
    }
  }

  /** Draws the list after a request, or empties it if the server does not run. */
  async #update(request: () => Promise<void>): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.server.state.kind === "running") {
      await request().catch(() => undefined); // the list stays as it was
    } else if (this.server.state.kind !== "starting") {
      this.list.clear();
    }
    this.#draw();
  }

  /** Counts the recordings of this window, among so many of all windows. A status lists those that record before others. */
  async #countRecordings(all: number): Promise<void> {
    const { sessions } = all === 0 ? NO_SESSIONS : await workspaceSessions(this.server, all).catch(() => NO_SESSIONS);
    this.#showCount(this.server.state.kind === "running" ? sessions.filter(isRecording).length : 0);
  }

  #showCount(recordings: number): void {
    const tooltip = count(recordings, "recording");
    this.#view.badge = recordings === 0 ? undefined : { value: recordings, tooltip };
  }

  #draw(): void {
    const { conversations, nameOf, hasMore } = this.list;
    const layout = {
      arrangement: this.arrangement,
      filter: this.#filter,
      folders: workspaceFolders(),
      nameOf,
      hasMore,
    };
    const roots = tree(conversations, Date.now(), layout);
    this.#describe(roots);
    const changed = changes(this.#roots, roots);
    if (changed !== "all") {
      // The tree knows the entries that it was given by their identity: those get the new texts.
      const given = changed.flatMap((id) => this.#entries.get(id) ?? []);
      const fresh = index(roots);
      for (const entry of given) {
        const { children, ...texts } = fresh.get(entry.id) ?? entry;
        Object.assign(entry, texts);
      }
      if (given.length > 0) {
        this.#changed.fire(given);
      }
      return;
    }
    this.#roots = roots;
    this.#entries = index(roots);
    this.#changed.fire(undefined);
  }

  /** Says above the rows that a filter hides others. */
  #describe(roots: readonly Entry[]): void {
    const isOn = isFiltered(this.#filter);
    const rows = roots.flatMap((entry) => (entry.kind === "group" ? entry.children : entry));
    const shown = rows.filter(({ kind }) => kind === "session").length;
    const all = this.list.conversations.filter(({ parent }) => parent === undefined).length;
    this.#view.message = isOn ? `Filtered: ${shown} of ${count(all, "conversation")}` : "";
    setContext("isFiltered", isOn);
  }
}

function stateOf(entry: Entry): vscode.TreeItemCollapsibleState {
  return entry.children.length === 0
    ? vscode.TreeItemCollapsibleState.None
    : entry.kind === "group"
      ? vscode.TreeItemCollapsibleState.Expanded
      : vscode.TreeItemCollapsibleState.Collapsed;
}

/** The icon of a conversation, for light and dark themes. */
function iconOf(session: Conversation, name: string): { light: vscode.Uri; dark: vscode.Uri } {
  const state: GlyphState = {
    isRecording: isRecording(session),
    isDeleted: session.isDeleted,
    isSubAgent: session.parent !== undefined,
  };
  const draw = (theme: "light" | "dark"): vscode.Uri => {
    const svg = Buffer.from(glyph(session.provider, name, theme, state)).toString("base64");
    return vscode.Uri.parse(`data:image/svg+xml;base64,${svg}`);
  };
  return { light: draw("light"), dark: draw("dark") };
}

function index(entries: readonly Entry[], into = new Map<string, Entry>()): Map<string, Entry> {
  for (const entry of entries) {
    into.set(entry.id, entry);
    index(entry.children, into);
  }
  return into;
}
