// The page of a conversation: shows the HTML that is posted to it, scrolls to its place and reports where the reader is.

import type { PageMessage, Shown, TranscriptPage } from "../transcriptView";
import { occurrences } from "../searchHits";
import { speakerOf } from "../speakers";

declare function acquireVsCodeApi(): { postMessage(message: PageMessage): void; setState(state: Shown): void };

/** Pixels from the end within which the reader counts as being there. */
const NEAR_END = 60;
const vscode = acquireVsCodeApi();
let isAtEnd = true;

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(id);
  }
  return found;
}

// A conversation may contain elements with these ids: the page's own ones are looked up before it is shown.
const page = {
  title: element("title"),
  about: element("about"),
  content: element("content"),
  earlier: element("earlier"),
  cut: element("cut"),
  later: element("later"),
  buttons: { capture: element("capture"), export: element("export"), markdown: element("markdown") },
};

function draw(data: TranscriptPage): void {
  const { shown, about, html, hasEarlier, isAll, hasLater, position, words } = data;
  vscode.setState(shown);
  page.title.textContent = shown.title;
  page.about.textContent = about;
  const root = document.documentElement;
  const fromTop = root.scrollTop;
  const fromEnd = root.scrollHeight - root.scrollTop;
  page.content.replaceChildren(...harmless(html));
  nameSpeakers();
  page.earlier.hidden = !hasEarlier || isAll;
  page.cut.hidden = !hasEarlier || !isAll;
  page.later.hidden = !hasLater;
  if (position === "end") {
    root.scrollTop = root.scrollHeight;
  } else if (position === "keep") {
    root.scrollTop = fromTop;
  } else if (position === "keepEnd") {
    root.scrollTop = root.scrollHeight - fromEnd; // earlier messages came before what the reader sees
  } else {
    goTo(position, words);
  }
  report();
}

/** Elements that could lead out of the page. Its policy keeps scripts, frames and styles from being loaded anyway. */
const REMOVED = "script, style, link, meta, base, iframe, frame, object, embed, form, input, button, textarea, select";

/** The nodes of a text's HTML, without elements that act. */
function harmless(html: string): Node[] {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  body.querySelectorAll(REMOVED).forEach((one) => one.remove());
  return Array.from(body.childNodes);
}

/** Marks the headings that name who speaks, sets their time apart, and keeps the lines of what the user typed. */
function nameSpeakers(): void {
  let isUser = false;
  for (const block of Array.from(page.content.children)) {
    const level = /^H([23])$/.exec(block.tagName)?.[1];
    const speaker = level === undefined ? undefined : speakerOf(Number(level), block.textContent);
    if (speaker !== undefined) {
      const when = document.createElement("span");
      when.className = "when";
      when.textContent = speaker.when;
      block.className = "speaker";
      block.replaceChildren(`${speaker.name} `, when);
      isUser = level === "2";
    } else if (isUser) {
      block.classList.add("typed");
    }
  }
}

/** Scrolls to the message at a line, and marks the words in it. */
function goTo(line: number, words: readonly string[]): void {
  const blocks = Array.from(page.content.querySelectorAll<HTMLElement>("[data-line]"));
  const start = blocks.findIndex((block) => Number(block.dataset.line) >= line);
  const first = blocks[start] ?? blocks.at(-1);
  if (first === undefined) {
    return;
  }
  const marked = mark(messageFrom(first), words);
  const top = (marked ?? first).getBoundingClientRect().top + document.documentElement.scrollTop;
  const header = document.querySelector("header")?.getBoundingClientRect().height ?? 0;
  document.documentElement.scrollTop = Math.max(0, top - header - (marked === undefined ? 8 : window.innerHeight / 3));
}

/** The elements of the message that begins with this one, up to the next message's heading. */
function messageFrom(first: HTMLElement): Element[] {
  const content = page.content;
  let top: Element = first;
  while (top.parentElement !== null && top.parentElement !== content) {
    top = top.parentElement;
  }
  const found = [top];
  for (
    let next = top.nextElementSibling;
    next !== null && !next.classList.contains("speaker");
    next = next.nextElementSibling
  ) {
    found.push(next);
  }
  return found;
}

/** Wraps each occurrence of the words in a mark. Returns the first one. */
function mark(elements: readonly Element[], words: readonly string[]): HTMLElement | undefined {
  let first: HTMLElement | undefined;
  for (const top of elements) {
    const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walker.nextNode() !== null) {
      texts.push(walker.currentNode as Text);
    }
    for (const text of texts) {
      // From the last one on: what is split off behind an occurrence is done.
      for (const { start, end } of occurrences(text.data, words).reverse()) {
        const range = document.createRange();
        range.setStart(text, start);
        range.setEnd(text, end);
        const wrapped = document.createElement("mark");
        range.surroundContents(wrapped);
        for (let around = wrapped.closest("details"); around !== null; around = null) {
          around.open = true;
        }
        first = first !== undefined && precedes(first, wrapped) ? first : wrapped;
      }
    }
  }
  return first;
}

function precedes(one: Node, other: Node): boolean {
  return (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}

function report(): void {
  const root = document.documentElement;
  const value = root.scrollHeight - root.scrollTop - root.clientHeight < NEAR_END && page.later.hidden;
  if (value !== isAtEnd) {
    isAtEnd = value;
    vscode.postMessage({ kind: "atEnd", value });
  }
}

for (const kind of ["capture", "export", "markdown"] as const) {
  page.buttons[kind].addEventListener("click", () => vscode.postMessage({ kind }));
}
page.earlier.addEventListener("click", () => vscode.postMessage({ kind: "earlier" }));
page.later.addEventListener("click", () => vscode.postMessage({ kind: "newest" }));
document.addEventListener("scroll", report, { passive: true });
window.addEventListener("message", ({ data }: MessageEvent<TranscriptPage>) => draw(data));
vscode.postMessage({ kind: "ready" });
