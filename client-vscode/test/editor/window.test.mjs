// What one window shows of Kato: its first screen, the status, the memory view, messages. Each test stands on the ones before it.

import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Editor, pathWithKato, says, until } from "./harness.mjs";

const media = path.resolve(import.meta.dirname, "../../media");
const THEMES = {
  dark: "Default Dark Modern",
  light: "Default Light Modern",
  "high-contrast": "Default High Contrast",
};
let editor;
const bar = () => editor.statusBar.innerText();
const figures = async () => /Kato \d+ \/ 200 MB/.test(await bar());

before(
  async () => {
    editor = await Editor.start({ environment: { PATH: await pathWithKato() } });
    await editor.open({ width: 1440 });
  },
  { timeout: 120_000 },
);
after(() => editor?.end());

/** Does this under each theme, and in the end under the dark one. */
async function underEachTheme(look) {
  for (const [name, theme] of [...Object.entries(THEMES), ["dark", THEMES.dark]]) {
    await editor.setting("workbench.colorTheme", theme);
    await until(
      async () => (await editor.page.locator(".monaco-workbench").getAttribute("class")).includes(classOf(name)),
      name,
    );
    await look(name);
  }
}

function classOf(name) {
  return { dark: "vs-dark", light: "vs ", "high-contrast": "hc-black" }[name];
}

test("the first start names Kato in the status bar, and leads a newcomer to the walkthrough", async () => {
  await until(figures, "figures in the status bar", 60);
  const toast = editor.toast("Kato is ready").first();
  await until(() => toast.isVisible(), "the message after the start");
  await editor.screenshot("30-first-start");
  await editor.page.locator('.activitybar .action-item a[aria-label^="Kato"]').click({ force: true });
  const welcome = editor.page.locator(".sidebar .welcome-view");
  await until(async () => /Kato has not found a conversation/.test(await welcome.innerText()), "the empty view");
  await editor.screenshot("30b-empty-view");
  await toast.getByRole("button", { name: "Get Started" }).click();
  const steps = editor.page.locator(".gettingStarted .getting-started-step");
  await until(async () => (await steps.count()) === 3, "the walkthrough");
  assert.doesNotMatch(await editor.page.locator(".gettingStarted").innerText(), /`/);
});

test("the pictures of the walkthrough are those of the theme, and readable at the size at which they are shown", async () => {
  const steps = editor.page.locator(".gettingStarted .getting-started-step");
  for (const [index, name] of ["sessions", "capture", "memory"].entries()) {
    await steps.nth(index).click();
    const picture = editor.page.locator(".gettingStarted .getting-started-media img");
    await underEachTheme(async (theme) => {
      const kind = theme === "light" ? "light" : "dark";
      await until(
        async () => (await picture.getAttribute("srcset"))?.includes(`${name}-${kind}.png`),
        `${name} ${theme}`,
      );
      const [shown, natural] = await picture.evaluate((one) => [one.clientWidth, one.naturalWidth]);
      assert.ok(natural / shown > 0.9 && natural / shown < 2.6, `${natural} pixels are shown in ${shown}`);
      await editor.screenshot(`31-walkthrough-${name}-${theme}`);
    });
  }
});

test("the README in the details page shows its pictures, from the extension's folder of the repository", async () => {
  const asked = [];
  await editor.page.context().route("https://github.com/**", async (route) => {
    const { pathname } = new URL(route.request().url());
    asked.push(pathname);
    await route.fulfill({ path: path.join(media, path.basename(pathname)) });
  });
  await editor.call("execute", "extension.open", "kato.kato");
  const pictures = editor.webview().locator('img[src*="/media/"]');
  await until(async () => (await pictures.count()) >= 3, "the pictures");
  await until(
    async () => pictures.evaluateAll((all) => all.every((one) => one.complete && one.naturalWidth > 0)),
    "pictures that are loaded",
  );
  assert.ok(asked.length >= 3);
  assert.deepEqual(
    asked.filter((one) => !one.startsWith("/kato-notes/kato/raw/HEAD/client-vscode/media/")),
    [],
  );
  await editor.screenshot("32-details");
  await editor.call("execute", "workbench.action.closeAllEditors");
});

test("the settings have categories", async () => {
  await editor.call("execute", "workbench.action.openSettings", "@ext:kato.kato");
  const contents = editor.page.locator(".settings-toc-container");
  await until(
    async () => /Notes[\s\S]*Note Content[\s\S]*Memory[\s\S]*Server/.test(await contents.innerText()),
    "them",
  );
  await editor.screenshot("33-settings");
  await editor.page.keyboard.press("Escape");
  await editor.call("execute", "workbench.action.closeAllEditors");
});

test("a capture over other text is one short line, with the backup and a comparison", async () => {
  const draft = path.join(editor.workspace, "notes", "draft.md");
  await fs.mkdir(path.dirname(draft), { recursive: true });
  await fs.writeFile(draft, "My own words.\n");
  const claude = says("claude", "draft");
  await editor.append("claude", "draft", [claude.user("What is a draft?"), claude.assistant("A first version.")]);
  await editor.append("claude", "draft", [claude.user("::capture notes/draft.md")]);
  const toast = editor.toast("notes/draft.md held other text. Kato replaced it, and kept a copy.").first();
  await until(() => toast.isVisible(), "the message");
  assert.ok(await toast.getByRole("button", { name: "Open Backup" }).isVisible());
  await editor.screenshot("34-backed-up");
  await toast.getByRole("button", { name: "Compare" }).click();
  await until(() => editor.page.getByRole("tab", { name: "draft.md: backup and note" }).isVisible(), "the comparison");
  const compared = async () => (await editor.page.locator(".monaco-diff-editor .view-lines").allInnerTexts()).join();
  await until(async () => /My\sown\swords/.test(await compared()), "the text of the backup");
  await editor.screenshot("34b-compare");
  await editor.call("execute", "workbench.action.closeAllEditors");
});

test("the language status of a note that records names the conversation, and no other file has one", async () => {
  await editor.call("open", path.join(editor.workspace, "notes", "draft.md"));
  const status = editor.page.locator('.part.statusbar [id="status.languageStatus"]');
  const label = async () => (await status.count()) > 0 && (await status.getAttribute("aria-label"));
  await until(async () => /Kato records here, What is a draft\?/.test(await label()), "the conversation");
  await status.hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(async () => /Kato records here/.test(await hover.innerText()), "it, on hover");
  await editor.screenshot("35-language-status");
  await editor.page.mouse.move(700, 300);
  await fs.writeFile(path.join(editor.workspace, "other.md"), "Other\n");
  await editor.call("open", path.join(editor.workspace, "other.md"));
  await until(async () => !/Kato/.test(await label()), "nothing of Kato");
  await editor.call("execute", "workbench.action.closeAllEditors");
});

test("the memory view at 400 pixels: letters of full size, all columns, values on hover", async () => {
  for (let index = 0; index < 4; index++) {
    const one = says("codex", `large-${index}`);
    await editor.append("codex", `large-${index}`, [
      one.user(`Why does module ${index} need such a long title that no narrow editor can show it in full?`),
      one.assistant("y".repeat(300_000 * (index + 1)), "gpt-5-codex"),
    ]);
  }
  await editor.call("execute", "workbench.action.closeSidebar");
  await editor.palette("Kato: Show Memory");
  const view = editor.webview();
  await until(async () => (await view.locator("#sessions tr").count()) >= 4, "the sessions");
  await editor.page.setViewportSize({ width: 458, height: 760 });
  await until(async () => (await view.locator("body").evaluate((body) => body.clientWidth)) <= 400, "400 pixels");
  const scale = () => view.locator("#chart").evaluate((svg) => svg.clientWidth / svg.viewBox.baseVal.width);
  await until(async () => Math.abs((await scale()) - 1) < 0.02, "one unit of the chart for each pixel");
  assert.ok(await view.locator("body").evaluate((body) => body.scrollWidth <= body.clientWidth), "nothing is cut off");
  assert.match(await view.locator("#sessions tr").first().innerText(), /Codex[\s\S]*MB[\s\S]*2/);
  const box = await view.locator("#chart").boundingBox();
  await editor.page.mouse.move(box.x + 80, box.y + 60); // at the right there may be no data yet
  await until(
    async () =>
      /Process \d+ MB\s+Snapshots [\d.]+ [kM]?B\s+Limit 200 MB/.test(await view.locator("#values").innerText()),
    "the values",
  );
  await underEachTheme((theme) => editor.screenshot(`37-memory-narrow-${theme}`));
  await editor.page.mouse.move(200, 700);
  await view.locator("#chart").focus();
  await editor.page.keyboard.press("ArrowLeft");
  await until(() => view.locator("#values").isVisible(), "the values, by the keyboard");
});

test("in high contrast the data stand out against the grid", async () => {
  await editor.page.setViewportSize({ width: 1100, height: 760 });
  await underEachTheme(async (theme) => {
    const strokes = await editor
      .webview()
      .locator("body")
      .evaluate((body) =>
        ["path.rss", ".grid"].map((name) => parseFloat(getComputedStyle(body.querySelector(name)).strokeWidth)),
      );
    assert.ok(strokes[0] > strokes[1], theme);
    await editor.screenshot(`38-memory-${theme}`);
  });
});

test("a session in the memory view opens its conversation", async () => {
  await editor.webview().locator("#sessions button").first().click();
  await until(() => editor.page.getByRole("tab", { name: /Why does module 3/ }).isVisible(), "the conversation");
  await editor.call("execute", "workbench.action.closeActiveEditor");
  await editor.palette("Kato: Show Memory");
});

test("the memory view has a gap where nothing ran, and is there again after the window was reloaded", async () => {
  const view = editor.webview();
  const gaps = () => view.locator("rect.gap").count();
  assert.equal(await gaps(), 0);
  const runs = async () => (await view.locator("path.rss").getAttribute("d")).split("M").length - 1;
  await editor.palette("Kato: Restart Server");
  await until(async () => (await gaps()) === 1 && (await runs()) === 2, "the line of the second server", 60);
  await editor.reload();
  await until(figures, "the server", 60);
  await until(
    async () => (await gaps()) === 2 && (await runs()) === 3,
    "the chart as it was, with the time of the reload as a gap",
    40,
  );
  await editor.screenshot("39-memory-restored");
  await editor.call("execute", "workbench.action.closeAllEditors");
});

test("the outcome of a command in the chat appears in the window where the user is, whichever server ran it", async () => {
  await editor.clearToasts();
  const first = await editor.openAnother();
  await until(figures, "the server of the second window", 60);
  const claude = says("claude", "draft");
  await editor.append("claude", "draft", [claude.user("::export /outside/x.md")]); // by the server of the first window
  const toast = editor.toast("::export failed: /outside/x.md is outside the allowed folders").first();
  await until(() => toast.isVisible(), "the message in the second window");
  await editor.append("claude", "draft", [claude.user("::export notes/second.md")]);
  await until(async () => (await editor.outcomeItem.innerText()).includes("Exported to second.md"), "the outcome");
  await editor.screenshot("36-second-window");
  assert.equal(await first.locator(".notifications-toasts .notification-list-item").count(), 0);
  const shown = first.locator('.part.statusbar [id="kato.kato.outcome"]').filter({ hasText: "second.md" });
  assert.equal(await shown.count(), 0); // it may still show the outcome before
  await editor.palette("Kato: Open Last Capture");
  await until(
    async () => editor.page.getByRole("tab", { name: "second.md" }).isVisible(),
    "the note, in the second window",
  );
  await editor.page.close();
  editor.page = first;
  await first.bringToFront();
  await first.evaluate(() => {
    delete document.hasFocus;
    window.dispatchEvent(new Event("focus"));
  });
});

test("a limit that the process cannot keep is reported once, with the smallest that it can keep, and colours nothing", async () => {
  await editor.clearToasts();
  await editor.setting("kato.daemonMaxMemoryMb", 40);
  const toast = editor.toast("Kato's process needs more than 40 MB").first();
  await until(() => toast.isVisible(), "the message");
  assert.match(await toast.innerText(), /from \d+ MB on, it applies to the whole process/);
  await until(async () => /Kato \d+ MB/.test(await bar()), "a status without a share");
  assert.doesNotMatch(await editor.statusBar.getAttribute("class"), /(warning|error)-kind/);
  await editor.statusBar.hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(async () => /for the snapshots alone; from \d+ MB on, the process/.test(await hover.innerText()), "it");
  await editor.screenshot("40-limit-not-kept");
  await editor.page.mouse.move(700, 300);
  await editor.clearToasts();
  const [pid] = editor.servers();
  await editor.palette("Kato: Restart Server");
  const isOther = async () => [undefined, pid].includes((await editor.call("status"))?.daemonPid) === false;
  await until(isOther, "the server again", 40);
  await until(async () => /Kato \d+ MB/.test(await bar()), "its status");
  assert.equal(await editor.toast("needs more than 40 MB").count(), 0, "it is not reported again");
  await editor.palette("Kato: Raise Memory Limit");
  await until(async () => Number(await editor.input.inputValue()) > 60, "a limit that the process can keep");
  await editor.page.keyboard.press("Enter");
  await until(async () => /Kato \d+ \/ \d+ MB/.test(await bar()), "the share of the limit");
  assert.equal((await editor.call("memory")).wholeProcess, true);
  await editor.setting("kato.daemonMaxMemoryMb", undefined);
  await until(figures, "the default");
});

test("a server that does not speak is reported within seconds, and can be stopped; the view shows why", async () => {
  await editor.clearToasts();
  const started = Date.now();
  await editor.setting("kato.server.command", ["sleep", "1000"]);
  const toast = editor.toast("Kato's server has not answered for 10 s").first();
  await until(() => toast.isVisible(), "the message", 25);
  assert.ok(Date.now() - started < 20_000, `${Date.now() - started} ms`);
  await editor.screenshot("41-silent");
  await toast.getByRole("button", { name: "Cancel" }).click();
  const failure = editor.toast("sleep 1000 was stopped before it answered").first();
  await until(() => failure.isVisible(), "what became of it");
  for (const name of ["Open Settings", "Retry", "Show Log"])
    assert.ok(await failure.getByRole("button", { name }).isVisible(), name);
  await editor.call("execute", "kato.sessions.focus");
  const welcome = editor.page.locator(".sidebar .welcome-view");
  await until(async () => /its program could not be started, or did not answer/.test(await welcome.innerText()), "why");
  await editor.screenshot("41b-stopped");
  await editor.setting("kato.server.command", undefined);
  await until(figures, "the server", 60);
  await editor.clearToasts();
});

test("a setting that is rejected: the message says that the change was ignored, and names it", async () => {
  await editor.setting("kato.maxSessions", 0);
  const toast = editor.toast("Kato ignored the change: kato.maxSessions must be").first();
  await until(() => toast.isVisible(), "the message");
  await editor.screenshot("42-ignored");
  await editor.setting("kato.maxSessions", undefined);
});
