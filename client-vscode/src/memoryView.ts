// The memory panel: a chart over time and the largest sessions. Rule: the page loads its script and its style only; the data
// that it draws are posted to it. The page keeps the samples, so that the chart goes on after the window was reloaded.

import * as vscode from "vscode";
import { keepsLimit } from "./appearance";
import type { Sample, Samples } from "./samples";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions } from "./sessionList";
import { keyOf, titleOf } from "./sessions";
import type { SessionStatus } from "./structs";
import { ago } from "./text";
import { fillPanel } from "./webviewPage";

const TYPE = "kato.memory";
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
  now: number;
  largest: LargeSession[];
  state: string;
  /** Why the server does not run, as a sentence. */
  reason: string;
  /** Whether the limit bounds the whole process. */
  keepsLimit: boolean;
}

/** What the page keeps over a reload of the window. */
export interface KeptPage {
  samples: readonly Sample[];
}

/** What the page posts: it can draw, or the user opens a session. */
export type PageMessage = { kind: "ready" } | { kind: "open"; key: string };

export class MemoryView implements vscode.Disposable {
  readonly #subscriptions: vscode.Disposable[];
  #panel: vscode.WebviewPanel | undefined;
  #sessions = new Map<string, SessionStatus>();

  constructor(
    private readonly server: Server,
    private readonly samples: Samples,
    private readonly extension: vscode.Uri,
  ) {
    this.#subscriptions = [
      server.onDidChangeStatus(() => void this.#post()),
      server.onDidChangeState(() => void this.#post()),
      vscode.window.registerWebviewPanelSerializer(TYPE, {
        deserializeWebviewPanel: (panel, state: Partial<KeptPage> | undefined) => {
          this.samples.restore(state?.samples);
          this.#fill(panel);
          return Promise.resolve();
        },
      }),
    ];
  }

  dispose(): void {
    this.#panel?.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  show(): void {
    if (this.#panel === undefined) {
      this.#fill(vscode.window.createWebviewPanel(TYPE, "Kato Memory", vscode.ViewColumn.Active));
    } else {
      this.#panel.reveal();
    }
  }

  #fill(panel: vscode.WebviewPanel): void {
    this.#panel = panel;
    panel.onDidDispose(() => {
      this.#panel = undefined;
    });
    panel.onDidChangeViewState(() => void this.#post());
    panel.webview.onDidReceiveMessage((message: PageMessage) => this.#received(message));
    fillPanel(panel, this.extension, { name: "memory", title: "Kato Memory", body: BODY });
  }

  #received(message: PageMessage): void {
    const session = message.kind === "open" ? this.#sessions.get(message.key) : undefined;
    if (session === undefined) {
      void this.#post();
    } else {
      void vscode.commands.executeCommand("kato.openSession", {
        kind: "session",
        session: { ...session, title: titleOf(session) },
      });
    }
  }

  async #post(): Promise<void> {
    const panel = this.#panel;
    if (panel?.visible !== true) {
      return;
    }
    const { state, status } = this.server;
    const isRunning = state.kind === "running";
    const { sessions, nameOf } = isRunning
      ? await workspaceSessions(this.server).catch(() => NO_SESSIONS)
      : NO_SESSIONS;
    const now = Date.now();
    const largest = sessions
      .filter(({ resident }) => resident)
      .sort((a, b) => b.estimatedBytes - a.estimatedBytes)
      .slice(0, LARGEST);
    this.#sessions = new Map(largest.map((session) => [keyOf(session), session]));
    const page: MemoryPage = {
      samples: this.samples.until(now),
      now,
      largest: largest.map((session) => ({
        key: keyOf(session),
        title: titleOf(session),
        assistant: nameOf(session.provider),
        bytes: session.estimatedBytes,
        events: session.eventCount,
        age: ago(session.lastMessageAt ?? session.updatedAt, now),
      })),
      state: state.kind,
      reason: state.reason ?? "",
      keepsLimit: status === undefined || keepsLimit(status),
    };
    await panel.webview.postMessage(page);
  }
}

const BODY = `<h1>Memory</h1>
<p id="state" role="status" hidden></p>
<p id="summary"></p>
<figure>
<svg id="chart" role="img" tabindex="0" aria-label="Memory over time" aria-describedby="summary"></svg>
<div id="values" hidden></div>
<figcaption class="legend"><span class="key rss">Process</span><span class="key snapshots">Snapshots</span><span class="key limit">Limit</span><span class="key evicted">Eviction</span><span class="key gap">Not running</span></figcaption>
</figure>
<h2 id="largest">Largest sessions in memory</h2>
<table id="table" role="table" aria-labelledby="largest">
<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Session</th><th role="columnheader" scope="col">Assistant</th><th role="columnheader" scope="col" class="number">Size</th><th role="columnheader" scope="col" class="number">Events</th><th role="columnheader" scope="col">Last message</th></tr></thead>
<tbody role="rowgroup" id="sessions"></tbody>
</table>
<p id="none" hidden>No session is in memory.</p>`;
