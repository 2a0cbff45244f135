// The sessions view. Rule: a row is drawn again only when it says something else; the tree only when rows come, go or move.

import * as vscode from "vscode";
import type { Server } from "./server";
import { workspaceSessions } from "./sessionList";
import { changes, tree, type AssistantEntry, type Entry, type NamedSession } from "./sessions";
import { count } from "./text";

const COALESCE_MS = 250;
const AGE_TICK_MS = 60_000;

export class SessionsView implements vscode.TreeDataProvider<Entry>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Entry | Entry[] | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<Entry>;
  readonly #subscriptions: vscode.Disposable[];
  #sessions: readonly NamedSession[] = [];
  #roots: AssistantEntry[] = [];
  #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;

  constructor(private readonly server: Server) {
    this.#view = vscode.window.createTreeView("kato.sessions", { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#view.onDidChangeVisibility(() => this.#look()),
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
    this.#look();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Asks the server now. */
  async refresh(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.server.state.kind === "running") {
      this.#sessions = await workspaceSessions(this.server).catch(() => this.#sessions);
    } else if (this.server.state.kind !== "starting") {
      this.#sessions = [];
    }
    this.#draw();
  }

  getTreeItem(entry: Entry): vscode.TreeItem {
    const state = entry.children.length === 0 ? vscode.TreeItemCollapsibleState.None : entry.kind === "assistant" ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed;
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

  #look(): void {
    clearInterval(this.#tick);
    if (this.#view.visible) {
      this.#tick = setInterval(() => this.#draw(), AGE_TICK_MS); // "5 min" becomes "6 min"; without a request
      void this.refresh();
    }
  }

  #soon(): void {
    if (this.#view.visible && this.#timer === undefined) {
      this.#timer = setTimeout(() => void this.refresh(), COALESCE_MS);
    }
  }

  #draw(): void {
    const roots = tree(this.#sessions, Date.now());
    const changed = changes(this.#roots, roots);
    if (changed !== "all") {
      // The tree knows the entries it was given, by identity: those say something else now.
      const given = changed.flatMap((id) => this.#entries.get(id) ?? []);
      const fresh = index(roots);
      for (const entry of given) {
        const { children: _, ...said } = fresh.get(entry.id) ?? entry;
        Object.assign(entry, said);
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
