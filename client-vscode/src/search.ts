// The search: a list that is filled while the user types. Rules: a query waits until the user pauses, and cancels the one
// before; an answer to a query that is not the newest is dropped.

import * as vscode from "vscode";
import { Search } from "./protocol";
import type { Server } from "./server";
import { ConversationList, workspaceFolders } from "./sessionList";
import { describe, forPicking, nameOfFolder, type Conversation } from "./sessions";
import { describeHit, wordsOf } from "./searchHits";
import type { SearchHit, SearchResult } from "./structs";
import type { NameOf } from "./text";
import type { Place, Shown } from "./transcriptView";

/** Milliseconds without a key after which a query is sent. */
const PAUSE_MS = 150;
const HITS_MAX = 50;
const RECENT_MAX = 30;

interface Item extends vscode.QuickPickItem {
  shown?: Shown;
  place?: Place;
}

interface Parts {
  server: Server;
  open: (shown: Shown, place?: Place) => Promise<void>;
  capture: (shown: Shown) => Promise<void>;
}

const CAPTURE = { iconPath: new vscode.ThemeIcon("save"), tooltip: "Capture…" };
const EVERYWHERE = { iconPath: new vscode.ThemeIcon("globe"), tooltip: "Search All Folders" };
const HERE = { iconPath: new vscode.ThemeIcon("root-folder"), tooltip: "Search This Workspace Only" };

/** Asks for words and shows the messages that contain them, until the user opens one. */
export function searchConversations(parts: Parts): void {
  new SearchList(parts).show();
}

class SearchList {
  readonly #list = vscode.window.createQuickPick<Item>();
  readonly #recent: ConversationList;
  #isEverywhere = workspaceFolders().length === 0;
  #timer: NodeJS.Timeout | undefined;
  #query: vscode.CancellationTokenSource | undefined;

  constructor(private readonly parts: Parts) {
    this.#recent = new ConversationList(parts.server);
    const list = this.#list;
    list.title = "Kato: Search Conversations";
    list.matchOnDescription = list.matchOnDetail = true;
    // The order is the server's, by relevance.
    (list as { sortByLabel?: boolean }).sortByLabel = false;
    list.onDidChangeValue(() => this.#soon());
    list.onDidTriggerButton(() => {
      this.#isEverywhere = !this.#isEverywhere;
      this.#drawScope();
      void this.#search();
    });
    list.onDidTriggerItemButton(({ item }) => this.#leave(item, (shown) => parts.capture(shown)));
    list.onDidAccept(() => {
      const [item] = list.selectedItems;
      this.#leave(item, (shown) => parts.open(shown, item?.place));
    });
    list.onDidHide(() => this.#end());
  }

  show(): void {
    this.#drawScope();
    this.#list.show();
    void this.#showRecent();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#cancel();
    this.#list.dispose();
  }

  #leave(item: Item | undefined, work: (shown: Shown) => Promise<void>): void {
    if (item?.shown !== undefined) {
      this.#list.hide();
      work(item.shown).catch((error: unknown) => {
        void vscode.window.showErrorMessage(`Kato: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
  }

  #drawScope(): void {
    const folders = workspaceFolders();
    const where = this.#isEverywhere ? "all folders" : folders.map(nameOfFolder).join(", ");
    this.#list.placeholder = `Words in any conversation of ${where}; "a phrase"; begin*`;
    this.#list.buttons = folders.length === 0 ? [] : [this.#isEverywhere ? HERE : EVERYWHERE];
  }

  #cancel(): void {
    this.#query?.cancel();
    this.#query?.dispose();
    this.#query = undefined;
  }

  #soon(): void {
    this.#cancel();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#search(), PAUSE_MS);
  }

  async #search(): Promise<void> {
    this.#cancel();
    const query = this.#list.value.trim();
    if (query === "") {
      this.#list.busy = false;
      return this.#showRecent();
    }
    const source = new vscode.CancellationTokenSource();
    this.#query = source;
    this.#list.busy = true;
    try {
      const result = await this.#answer(query, source.token);
      if (this.#query === source) {
        this.#list.items = this.#items(result);
      }
    } catch (error) {
      if (this.#query === source) {
        this.#list.items = [message(error instanceof Error ? error.message : String(error), "warning")];
      }
    } finally {
      if (this.#query === source) {
        this.#list.busy = false;
      }
    }
  }

  /** The hits in all conversations, or in those of the folders of this window. */
  async #answer(query: string, token: vscode.CancellationToken): Promise<SearchResult> {
    const ask = (folder?: string): Promise<SearchResult> =>
      this.parts.server.request(Search, { query, limit: HITS_MAX, ...(folder === undefined ? {} : { folder }) }, token);
    if (this.#isEverywhere) {
      return ask();
    }
    const results = await Promise.all(workspaceFolders().map(ask));
    return {
      hits: results.flatMap(({ hits }) => hits).sort((a, b) => b.score - a.score),
      complete: results.every(({ complete }) => complete),
      titles: Object.assign({}, ...results.map(({ titles }) => titles)) as Record<string, string>,
    };
  }

  #items({ hits, complete, titles = {} }: SearchResult): Item[] {
    const now = Date.now();
    const nameOf: NameOf = (provider) => titles[provider] ?? this.#nameOf(provider);
    const items = hits.map((hit) => itemOf(hit, now, nameOf));
    if (hits.length === 0) {
      items.push(message("No message contains all of these words", "info"));
      if (!this.#isEverywhere) {
        items.push(message("The button above searches the conversations of all folders", "globe"));
      }
    }
    return complete
      ? items
      : [...items, message("Not everything was searched; more words find older messages", "warning")];
  }

  get #nameOf(): NameOf {
    return this.#recent.nameOf;
  }

  /** Without a query: the newest conversations. */
  async #showRecent(): Promise<void> {
    const now = Date.now();
    const draw = (): void => {
      if (this.#list.value.trim() === "") {
        const found = forPicking(this.#recent.conversations).slice(0, RECENT_MAX);
        this.#list.items = found.map((one) => itemOfRecent(one, now, this.#nameOf));
      }
    };
    draw();
    await this.#recent.refresh().catch(() => undefined);
    draw();
  }
}

function itemOf(hit: SearchHit, now: number, nameOf: NameOf): Item {
  const { provider, sessionId, cwd, timestamp, seq } = hit;
  const { label, description, detail } = describeHit(hit, now, nameOf, workspaceFolders());
  return {
    label: `$(${hit.role === "user" ? "account" : hit.role === "tools" ? "tools" : "comment"}) ${label}`,
    description,
    detail,
    alwaysShow: true, // what matches is the server's decision
    buttons: [CAPTURE],
    shown: { provider, sessionId, title: label, at: timestamp, ...(cwd === undefined ? {} : { cwd }) },
    place: { seq, words: wordsOf(hit) },
  };
}

function itemOfRecent(one: Conversation, now: number, nameOf: NameOf): Item {
  return {
    label: `$(history) ${one.title}`,
    description: nameOf(one.provider),
    detail: describe(one, now),
    buttons: [CAPTURE],
    shown: one,
  };
}

function message(text: string, icon: string): Item {
  return { label: `$(${icon}) ${text}`, alwaysShow: true };
}
