// Takes the pictures of the READMEs and of the walkthrough from a real editor: run.sh KATO.vsix --pictures.
//
// A picture is taken in the width in which it is shown, with two pixels for each: the walkthrough shows 460 pixels, the README up
// to 730. The walkthrough has a picture for dark and for light themes.

import path from "node:path";
import { promises as fs } from "node:fs";
import { Editor, pathWithKato, says, until } from "./harness.mjs";

const media = path.resolve(import.meta.dirname, "../../media");
const THEMES = { dark: "Default Dark Modern", light: "Default Light Modern" };
const settings = {
  "breadcrumbs.enabled": false,
  "editor.fontSize": 13,
  "editor.minimap.enabled": false,
  "editor.wordWrap": "on",
  "kato.markdown.includeFrontmatter": false, // it has paths of this machine
};
const editor = await Editor.start({ environment: { PATH: await pathWithKato() }, settings });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

try {
  await editor.open({ width: 800, height: 640, scale: 2 });
  await until(async () => /MB/.test(await editor.statusBar.innerText()), "the server", 100);
  await editor.clearToasts();
  await converse();
  await overview();
  await statusBar();
  for (const [name, theme] of Object.entries(THEMES)) {
    await editor.setting("workbench.colorTheme", theme);
    await pause(1500); // the theme is put in force part by part
    await sessions(`sessions-${name}`);
    await capture(`capture-${name}`);
  }
  await editor.palette("Kato: Show Memory");
  await grow();
  for (const [name, theme] of Object.entries(THEMES)) {
    await editor.setting("workbench.colorTheme", theme);
    await pause(1500);
    await memory(`memory-${name}`);
  }
} finally {
  await editor.end();
}

async function converse() {
  const talks = [
    [
      "codex",
      "build",
      "Why does the linker run twice?",
      "The second run comes from the `check` target, which depends on the binary.",
      "gpt-5-codex",
    ],
    [
      "gemini",
      "sql",
      "Explain WAL checkpoints in SQLite",
      "A checkpoint copies pages from the write-ahead log into the database file.",
      "gemini-3-pro",
    ],
    [
      "copilot",
      "types",
      "Make this function generic over its key",
      "Here is the signature with a type parameter.",
      "gpt-5",
    ],
    [
      "claude",
      "retry",
      "Add retries with backoff to the uploader",
      "I added exponential backoff with jitter, capped at 30 s.",
      "claude-sonnet-5",
    ],
  ];
  for (const [provider, id, question, reply, model] of talks) {
    const one = says(provider, id);
    await editor.append(provider, id, [
      one.user(question),
      one.assistant(reply, model),
      one.assistant("x".repeat(40_000), model),
    ]);
  }
  const main = says("claude", "trees");
  await editor.append("claude", "trees", [
    main.user("How does a B-tree split a full page?"),
    main.assistant(
      "The page's **median key moves up** into the parent, and the keys on either side become two pages:\n\n```python\ndef split(page):\n    middle = len(page.keys) // 2\n    left, right = page.keys[:middle], page.keys[middle + 1:]\n    return left, page.keys[middle], right\n```\n\nBoth halves stay at least half full, so lookups stay logarithmic.",
    ),
    main.user("Good, keep this one.\n::capture notes/b-trees.md"),
  ]);
}

/** Makes the side bar this wide. */
async function widen(width) {
  const { x, width: now } = await editor.page.locator(".part.sidebar").boundingBox();
  await editor.page.mouse.move(x + now + 1, 300);
  await editor.page.mouse.down();
  await editor.page.mouse.move(x + width, 300, { steps: 5 });
  await editor.page.mouse.up();
  await editor.page.mouse.move(x + width + 200, 590);
}

async function shoot(name, clip) {
  await until(async () => (await editor.page.locator(".monaco-hover:visible").count()) <= clip.hovers, "no hover");
  const { x, y, width, height } = clip;
  await editor.screenshot(name, { clip: { x, y, width, height } });
  await fs.copyFile(path.join(process.env.KATO_RESULTS, `${name}.png`), path.join(media, `${name}.png`));
}

/** The sessions view next to a note that was just captured. */
async function overview() {
  await until(async () => {
    if (!(await editor.rows("How does a B-tree").isVisible())) await editor.call("execute", "kato.sessions.focus");
    return editor.rows("How does a B-tree").isVisible();
  }, "the view");
  await until(() => editor.outcomeItem.isVisible(), "the outcome");
  await editor.outcomeItem.click();
  await until(async () => (await editor.call("activeEditor"))?.path.endsWith("b-trees.md"), "the note");
  await widen(300);
  await pause(1000);
  await shoot("overview", { x: 48, y: 30, width: 750, height: 430, hovers: 0 });
}

async function statusBar() {
  await editor.call("execute", "workbench.action.closeAllEditors");
  await editor.statusBar.hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(async () => /Snapshots/.test(await hover.innerText()), "the tooltip");
  await pause(500);
  const { x, y } = await hover.first().boundingBox();
  await shoot("status-bar", { x: x - 10, y: y - 10, width: 800 - x + 10, height: 640 - y + 10, hovers: 1 });
  await editor.page.mouse.move(700, 300);
}

async function sessions(name) {
  await editor.call("execute", "kato.sessions.focus");
  await widen(480);
  await pause(500);
  const { x, y } = await editor.page.locator(".part.sidebar").boundingBox();
  await shoot(name, { x, y, width: 470, height: 245, hovers: 0 });
}

async function capture(name) {
  await editor.palette("Kato: Capture Conversation");
  await until(async () => (await editor.picks.count()) >= 5, "the conversations");
  await editor.page.mouse.move(700, 600);
  await pause(500);
  const box = await editor.page.locator(".quick-input-widget").boundingBox();
  await shoot(name, { ...box, hovers: 0 });
  await editor.page.keyboard.press("Escape");
}

/** Conversations that grow until some of them leave the memory. */
async function grow() {
  for (let index = 0; index < 30; index++) {
    const many = says("claude", `long-${index % 6}`);
    await editor.append("claude", `long-${index % 6}`, [
      many.user(`Refactor module ${index % 6}`),
      ...Array.from({ length: 12 }, () => many.assistant("y".repeat(90_000))),
    ]);
    await pause(700); // the chart is one of time
  }
}

async function memory(name) {
  await editor.call("execute", "workbench.action.closeSidebar");
  await editor.page.setViewportSize({ width: 540, height: 640 });
  await until(async () => (await editor.webview().locator("#sessions tr").count()) >= 6, "the table");
  await pause(1000);
  const { x, y } = await editor.page.locator(".part.editor").boundingBox();
  await shoot(name, { x: x + 4, y: y + 36, width: 470, height: 432, hovers: 0 });
}
