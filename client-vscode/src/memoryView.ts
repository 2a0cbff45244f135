// The memory panel: a chart over time and the largest sessions. Rule: the page loads its script and its style only; the data
// that it draws are posted to it.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Sample, Samples } from "./samples";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions } from "./sessionList";
import { keyOf, titleOf } from "./sessions";
import { age } from "./text";

const LARGEST = 12;

export interface LargeSession {
  key: string;
  title: string;
  assistant: string;
  bytes: number;
  events: number;
  age: string;
}

/** The data that are posted to the page. */
export interface MemoryPage {
  samples: readonly Sample[];
  largest: LargeSession[];
  state: string;
}

export class MemoryView implements vscode.Disposable {
  readonly #subscriptions: vscode.Disposable[];
  #panel: vscode.WebviewPanel | undefined;

  constructor(
    private readonly server: Server,
    private readonly samples: Samples,
    private readonly extension: vscode.Uri,
  ) {
    this.#subscriptions = [
      server.onDidChangeStatus(() => void this.#post()),
      server.onDidChangeState(() => void this.#post()),
    ];
  }

  dispose(): void {
    this.#panel?.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  show(): void {
    if (this.#panel !== undefined) {
      this.#panel.reveal();
      return;
    }
    const resources = [vscode.Uri.joinPath(this.extension, "dist"), vscode.Uri.joinPath(this.extension, "media")];
    this.#panel = vscode.window.createWebviewPanel("kato.memory", "Kato Memory", vscode.ViewColumn.Active, {
      enableScripts: true,
      localResourceRoots: resources,
    });
    this.#panel.iconPath = vscode.Uri.joinPath(this.extension, "media", "icon.svg"); // kato.svg is white: VS Code uses it as a mask
    this.#panel.onDidDispose(() => {
      this.#panel = undefined;
    });
    this.#panel.onDidChangeViewState(() => void this.#post());
    this.#panel.webview.onDidReceiveMessage(() => void this.#post()); // the page is ready
    this.#panel.webview.html = this.#html(this.#panel.webview);
  }

  async #post(): Promise<void> {
    const panel = this.#panel;
    if (panel?.visible !== true) {
      return;
    }
    const now = Date.now();
    const isRunning = this.server.state.kind === "running";
    const { sessions, nameOf } = isRunning
      ? await workspaceSessions(this.server).catch(() => NO_SESSIONS)
      : NO_SESSIONS;
    const largest = sessions
      .filter(({ resident }) => resident)
      .sort((a, b) => b.estimatedBytes - a.estimatedBytes)
      .slice(0, LARGEST)
      .map((session) => ({
        key: keyOf(session),
        title: titleOf(session),
        assistant: nameOf(session.provider),
        bytes: session.estimatedBytes,
        events: session.eventCount,
        age: age(session.lastMessageAt ?? session.updatedAt, now),
      }));
    const page: MemoryPage = {
      samples: isRunning ? this.samples.until(now) : this.samples.all,
      largest,
      state: this.server.state.kind,
    };
    await panel.webview.postMessage(page);
  }

  #html(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("base64url");
    const script = webview.asWebviewUri(vscode.Uri.joinPath(this.extension, "dist", "memory.js")).toString();
    const style = webview.asWebviewUri(vscode.Uri.joinPath(this.extension, "media", "memory.css")).toString();
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>Kato Memory</title>
</head>
<body>
<h1>Memory</h1>
<p id="state" role="status" hidden></p>
<p id="summary"></p>
<figure>
<svg id="chart" role="img" aria-label="Memory over time" aria-describedby="summary"></svg>
<figcaption class="legend"><span class="key rss">Process</span><span class="key snapshots">Snapshots</span><span class="key limit">Limit</span><span class="key evicted">Eviction</span></figcaption>
</figure>
<h2 id="largest">Largest sessions in memory</h2>
<table aria-labelledby="largest">
<thead><tr><th scope="col">Session</th><th scope="col">Assistant</th><th scope="col" class="number">Size</th><th scope="col" class="number">Events</th><th scope="col">Last message</th></tr></thead>
<tbody id="sessions"></tbody>
</table>
<p id="none" hidden>No session is in memory.</p>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
  }
}
