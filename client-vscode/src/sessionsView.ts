// The sessions view. Rule: a row is drawn anew only when it says something else; the tree only when rows come, go or move.

import * as vscode from "vscode";
import type { Server } from "./server";
import { workspaceSessions } from "./sessionList";
import { changes, tree, type AssistantEntry, type Entry } from "./sessions";

const COALESCE_MS = 250;
const AGE_TICK_MS = 60_000;

export class SessionsView implements vscode.TreeDataProvider<Entry>, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<Entry | Entry[] | undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #view: vscode.TreeView<Entry>;
  readonly #subscriptions: vscode.Disposable[];
  #roots: AssistantEntry[] = [];
  #elements = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;

  constructor(private readonly server: Server) {
    this.#view = vscode.window.createTreeView("kato.sessions", { treeDataProvider: this, showCollapseAll: true });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#view.onDidChangeVisibility(() => this.#look()),
      server.onDidChangeStatus(() => this.#soon()),
      server.onDidChangeState(() => this.#soon()),
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
      const sessions = await workspaceSessions(this.server).catch(() => undefined);
      if (sessions !== undefined) {
        this.#show(tree(sessions, Date.now()));
      }
    } else if (this.server.state.kind !== "starting") {
      this.#show([]);
    }
  }

  getTreeItem(entry: Entry): vscode.TreeItem {
    const now = this.#elements.get(entry.id) ?? entry;
    const state = now.children.length === 0 ? vscode.TreeItemCollapsibleState.None : now.kind === "assistant" ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed;
    const item = new vscode.TreeItem(now.label, state);
    item.id = now.id;
    item.description = now.description;
    if (now.kind === "session") {
      item.tooltip = now.tooltip;
      item.contextValue = now.recording ? "session.recording" : "session.idle";
      item.iconPath = now.recording
        ? new vscode.ThemeIcon("record", new vscode.ThemeColor("charts.red"))
        : new vscode.ThemeIcon(now.session.parent === undefined ? "comment-discussion" : "hubot");
      item.command = { command: "kato.openSession", title: "Open", arguments: [now] };
      item.accessibilityInformation = { label: `${now.label}, ${now.description}` };
    } else {
      item.contextValue = "assistant";
    }
    return item;
  }

  getChildren(entry?: Entry): Entry[] {
    return entry === undefined ? this.#roots : (this.#elements.get(entry.id) ?? entry).children;
  }

  #look(): void {
    clearInterval(this.#tick);
    if (this.#view.visible) {
      this.#tick = setInterval(() => void this.refresh(), AGE_TICK_MS); // "5 min" becomes "6 min"
      void this.refresh();
    }
  }

  #soon(): void {
    if (this.#view.visible && this.#timer === undefined) {
      this.#timer = setTimeout(() => void this.refresh(), COALESCE_MS);
    }
  }

  #show(roots: AssistantEntry[]): void {
    const changed = changes(this.#roots, roots);
    this.#roots = roots;
    const before = this.#elements;
    this.#elements = new Map();
    const note = (entry: Entry): void => {
      this.#elements.set(entry.id, entry);
      entry.children.forEach(note);
    };
    roots.forEach(note);
    if (changed === "all") {
      this.#changed.fire(undefined);
    } else if (changed.length > 0) {
      // The tree knows the elements that it was given: those are named, whatever stands in their place by now.
      this.#changed.fire(changed.flatMap((id) => before.get(id) ?? []));
    }
    const recording = [...this.#elements.values()].filter((entry) => entry.kind === "session" && entry.recording).length;
    this.#view.badge = recording === 0 ? undefined : { value: recording, tooltip: `${recording} recording` };
  }
}
