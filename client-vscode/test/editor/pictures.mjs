// Takes the pictures of the READMEs and of the walkthrough from a real editor: run.sh KATO.vsix --pictures.
//
// A picture is taken in the width in which it is shown, with two pixels for each: the walkthrough shows 460 pixels, the README up
// to 880. The walkthrough has a picture for dark and for light themes. The fonts Inter and JetBrains Mono, where they are
// installed, stand for those of desktops; pngquant, where it is installed, makes the files a third as large.

import { execFileSync } from "node:child_process";
import path from "node:path";
import { promises as fs } from "node:fs";
import { Editor, pathWithKato, says, until } from "./harness.mjs";

const media = path.resolve(import.meta.dirname, "../../media");
const THEMES = { dark: "Default Dark Modern", light: "Default Light Modern" };
const settings = {
  "breadcrumbs.enabled": false,
  "editor.fontSize": 12,
  "editor.hideCursorInOverviewRuler": true,
  "editor.minimap.enabled": false,
  "editor.overviewRulerBorder": false,
  "editor.renderLineHighlight": "none",
  "editor.scrollbar.vertical": "hidden",
  "editor.wordWrap": "on",
};
/** What the editor in the browser shows and one on a desktop does not, and the letterpress behind the editors. */
const HIDDEN = `.statusbar-item:is([id*="keyboard"], [id*="forwardedPorts"], [id="status.host"]), .editor-group-watermark { display: none !important; }`;
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  ${["system-ui", "sans", "sans-serif", "Ubuntu", "Droid Sans"].map((name) => preferred(name, "Inter")).join("\n  ")}
  ${["monospace", "Droid Sans Mono"].map((name) => preferred(name, "JetBrains Mono")).join("\n  ")}
</fontconfig>
`;

function preferred(family, font) {
  return `<match target="pattern"><test name="family"><string>${family}</string></test><edit name="family" mode="prepend" binding="strong"><string>${font}</string></edit></match>`;
}

const HOUR = 3_600_000;
/** Conversations with their last message so many hours ago, the newest first. */
const TALKS = [
  {
    provider: "codex",
    id: "linker",
    events: 18,
    hours: 0.6,
    model: "gpt-5-codex",
    question: "Why is the linker slow?",
    answer: "It runs twice: the `check` target depends on the binary.",
  },
  {
    provider: "claude",
    id: "retries",
    events: 42,
    hours: 3,
    model: "claude-sonnet-5",
    question: "Add retries to the upload",
    answer: "I added exponential backoff with jitter, capped at 30 s.",
  },
  {
    provider: "gemini",
    id: "checkpoints",
    events: 9,
    hours: 27,
    model: "gemini-3-pro",
    question: "Explain WAL checkpoints",
    answer: "A checkpoint copies pages from the write-ahead log into the database file.",
  },
  {
    provider: "copilot",
    id: "generic",
    events: 27,
    hours: 51,
    model: "gpt-5",
    question: "Make the cache generic",
    answer: "Here is the signature with a type parameter.",
  },
  {
    provider: "claude",
    id: "flaky",
    events: 64,
    hours: 99,
    model: "claude-sonnet-5",
    question: "Find the flaky test",
    answer: "`test_expiry` compares times of two clocks.",
  },
  {
    provider: "claude",
    id: "python",
    events: 31,
    hours: 480,
    model: "claude-sonnet-5",
    question: "Port to Python 3.14",
    answer: "Three modules use what was removed.",
  },
];
const B_TREES = [
  "How does a B-tree split?",
  "The page's **median key moves up** into the parent, and the keys on either side become two pages:\n\n```python\ndef split(page):\n    middle = len(page.keys) // 2\n    left = page.keys[:middle]\n    right = page.keys[middle + 1:]\n    return left, page.keys[middle], right\n```\n\nBoth halves stay at least half full, so lookups stay logarithmic.",
  "Good, keep this one.\n::capture notes/b-trees.md",
];

const editor = await Editor.start({ environment: { PATH: await pathWithKato() }, settings });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

try {
  const fonts = path.join(editor.root, "fonts.conf");
  await fs.writeFile(fonts, FONTS);
  await editor.open({ width: 880, height: 640, scale: 2, variables: { FONTCONFIG_FILE: fonts } });
  await editor.page.addStyleTag({ content: HIDDEN });
  await until(async () => /MB/.test(await editor.statusBar.innerText()), "the server", 100);
  await editor.clearToasts();
  await converse();
  await overview();
  await statusBar();
  for (const [name, theme] of Object.entries(THEMES)) {
    await use(theme);
    await sessions(`sessions-${name}`);
    await capture(`capture-${name}`);
  }
  await editor.palette("Kato: Show Memory");
  await grow();
  for (const [name, theme] of Object.entries(THEMES)) {
    await use(theme);
    await memory(`memory-${name}`);
  }
} finally {
  await editor.end();
}

/** Puts a theme in force, which the editor does part by part. */
async function use(theme) {
  await editor.setting("workbench.colorTheme", theme);
  await pause(1500);
}

async function converse() {
  for (const { provider, id, events: count, hours, model, question, answer } of [...TALKS].reverse()) {
    const one = says(provider, id);
    const rest = Array.from({ length: count - 2 }, () => one.assistant("A step of the work. ".repeat(60), model));
    const events = [one.user(question), one.assistant(answer, model), ...rest];
    await editor.append(provider, id, at(events, hours));
  }
  const main = says("claude", "trees");
  const [question, answer, last] = B_TREES;
  const events = [main.user(question), main.assistant(answer), main.user(last)];
  await editor.append("claude", "trees", at(events, 0.07));
}

/** Events of which the last one is so many hours old. */
function at(events, hours) {
  const end = Date.now() - hours * HOUR;
  return events.map((event, index) => ({
    ...event,
    timestamp: new Date(end - (events.length - 1 - index) * 20_000).toISOString(),
  }));
}

/** Makes the side bar this wide. */
async function widen(width) {
  const { x, width: now } = await editor.page.locator(".part.sidebar").boundingBox();
  await editor.page.mouse.move(x + now + 1, 300);
  await editor.page.mouse.down();
  await editor.page.mouse.move(x + width, 300, { steps: 5 });
  await editor.page.mouse.up();
  await editor.page.mouse.move(x + width + 200, 560);
}

async function shoot(name, { hovers = 0, ...clip }) {
  await until(async () => (await editor.page.locator(".monaco-hover:visible").count()) <= hovers, "no hover");
  await editor.screenshot(name, { clip });
  const file = path.join(media, `${name}.png`);
  await fs.copyFile(path.join(process.env.KATO_RESULTS, `${name}.png`), file);
  try {
    execFileSync("pngquant", ["--force", "--ext=.png", "--quality=85-100", "--speed=1", "--strip", file]);
  } catch (error) {
    console.log(`${name}: pngquant did not run (${error.code ?? error.status})`);
  }
}

/** The sessions view next to a note that was just captured. */
async function overview() {
  await until(async () => {
    if (!(await editor.rows("B-tree").isVisible())) await editor.call("execute", "kato.sessions.focus");
    return editor.rows("B-tree").isVisible();
  }, "the view");
  await editor.page.setViewportSize({ width: 880, height: 492 });
  await widen(372);
  await until(() => editor.outcomeItem.isVisible(), "the outcome");
  await editor.outcomeItem.click();
  await until(async () => (await editor.call("activeEditor"))?.path.endsWith("b-trees.md"), "the note");
  const lens = editor.page.locator(".codelens-decoration");
  await until(async () => /Recording/.test(await lens.first().innerText()), "the state of the recording");
  await editor.call("execute", "editor.fold", { selectionLines: [0], levels: 1 });
  await until(
    async () => (await editor.page.locator(".view-line").allInnerTexts()).join().includes("logarithmic"),
    "it",
  );
  await editor.page.mouse.move(700, 460);
  await pause(1000);
  await shoot("overview", { x: 0, y: 30, width: 880, height: 462 });
}

async function statusBar() {
  await editor.call("execute", "workbench.action.closeAllEditors");
  await editor.page.setViewportSize({ width: 880, height: 640 });
  await pause(1000);
  await editor.statusBar.hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(async () => /Snapshots/.test(await hover.innerText({ timeout: 3000 })), "the tooltip");
  await pause(500);
  const { x, y } = await hover.first().boundingBox();
  await shoot("status-bar", { x: x - 10, y: y - 10, width: 880 - x + 10, height: 640 - y + 10, hovers: 1 });
  await editor.page.mouse.move(700, 300);
}

async function sessions(name) {
  await editor.call("execute", "kato.sessions.focus");
  await widen(474);
  await pause(500);
  const { x, y, width } = await editor.page.locator(".part.sidebar").boundingBox();
  const last = await editor.rows().last().boundingBox();
  await shoot(name, { x: x + 2, y: y + 2, width: width - 4, height: last.y + last.height + 8 - y - 2 });
}

async function capture(name) {
  await editor.page.setViewportSize({ width: 880, height: 900 });
  await editor.palette("Kato: Capture Conversation");
  await until(async () => (await editor.picks.count()) === TALKS.length + 1, "the conversations");
  await editor.page.mouse.move(700, 620);
  await pause(500);
  await shoot(name, await editor.page.locator(".quick-input-widget").boundingBox());
  await editor.page.keyboard.press("Escape");
  await editor.page.setViewportSize({ width: 880, height: 640 });
}

function repeated(values, count) {
  return Array.from({ length: count }, (_, index) => values[index % values.length]);
}

/** Conversations that grow until some of them leave the memory. */
async function grow() {
  const rounds = [...repeated([5, 4, 3], 18), ...repeated([2, 1, 0, 1, 0], 50)];
  for (const index of rounds) {
    const { provider, id, model } = TALKS[index];
    const more = says(provider, id);
    const events = Array.from({ length: 5 }, () => more.assistant("y".repeat(300_000), model));
    await editor.append(provider, id, at(events, 0));
    await pause(500); // the chart is one of time
  }
}

async function memory(name) {
  await editor.call("execute", "workbench.action.closeSidebar");
  await editor.page.setViewportSize({ width: 540, height: 700 });
  const rows = editor.webview().locator("#sessions tr");
  await until(async () => (await rows.count()) >= 3, "the table");
  await pause(1000);
  const { x, y } = await editor.page.locator(".part.editor").boundingBox();
  const last = await rows.nth(2).boundingBox();
  await shoot(name, { x: x + 4, y: y + 36, width: 470, height: last.y + last.height - y - 36 });
}
