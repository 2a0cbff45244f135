// The sessions view. Rule: a row is drawn again only when its texts changed; the tree only when rows were added, removed or moved.

import * as vscode from "vscode";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions } from "./sessionList";
import { changes, tree, type AssistantEntry, type Entry } from "./sessions";
import { count } from "./text";

const COALESCE_MS = 250;
const AGE_TICK_MS = 60_000;

export class SessionsView implements vscode.TreeDataProvider<Entry>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Entry | Entry[] | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<Entry>;
  readonly #subscriptions: vscode.Disposable[];
  #listing = NO_SESSIONS;
  #roots: AssistantEntry[] = [];
  #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;

  constructor(private readonly server: Server) {
    this.#view = vscode.window.createTreeView("kato.sessions", { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#view.onDidChangeVisibility(() => this.#watch()),
      server.onDidChangeStatus(({ recordings }) => {
        const value = recordings.activeRecordings;
        this.#view.badge = value === 0 ? undefined : { value, tooltip: count(value, "recording") };
        this.#soon();
      }),
      server.onDidChangeState(({ kind }) => {
        if (kind !== "running") {
          this.#view.badge = undefined;
        }
        this.#soon();
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => this.#soon()),
    ];
    this.#watch();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Requests the sessions from the server now. */
  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.server.state.kind === "running") {
      this.#listing = await workspaceSessions(this.server).catch(() => this.#listing);
    } else if (this.server.state.kind !== "starting") {
      this.#listing = NO_SESSIONS;
    }
    this.#draw();
  }

  getTreeItem(entry: Entry): vscode.TreeItem {
    const state =
      entry.children.length === 0
        ? vscode.TreeItemCollapsibleState.None
        : entry.kind === "assistant"
          ? vscode.TreeItemCollapsibleState.Expanded
          : vscode.TreeItemCollapsibleState.Collapsed;
    const item = new vscode.TreeItem(entry.label, state);
    item.id = entry.id;
    item.description = entry.description;
    if (entry.kind === "session") {
      item.tooltip = entry.tooltip;
      item.contextValue = entry.recording ? "session.recording" : "session.idle";
      item.iconPath = entry.recording
        ? new vscode.ThemeIcon("record", new vscode.ThemeColor("charts.red"))
        : new vscode.ThemeIcon(entry.session.parent === undefined ? "comment-discussion" : "hubot");
      item.command = { command: "kato.openSession", title: "Open", arguments: [entry] };
      item.accessibilityInformation = { label: `${entry.label}, ${entry.description}` };
    } else {
      item.contextValue = "assistant";
    }
    return item;
  }

  getChildren(entry?: Entry): Entry[] {
    return entry === undefined ? this.#roots : entry.children;
  }

  #watch(): void {
    clearInterval(this.#tick);
    if (this.#view.visible) {
      this.#tick = setInterval(() => this.#draw(), AGE_TICK_MS); // "5 min" becomes "6 min", which needs no request
      void this.refresh();
    }
  }

  #soon(): void {
    if (this.#view.visible && this.#timer === undefined) {
      this.#timer = setTimeout(() => void this.refresh(), COALESCE_MS);
    }
  }

  #draw(): void {
    const roots = tree(this.#listing.sessions, Date.now(), this.#listing.nameOf);
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
}

function index(entries: readonly Entry[], into = new Map<string, Entry>()): Map<string, Entry> {
  for (const entry of entries) {
    into.set(entry.id, entry);
    index(entry.children, into);
  }
  return into;
}
