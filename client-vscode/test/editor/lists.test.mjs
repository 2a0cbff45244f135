// The lists of conversations and the search, in a real VS Code. The conversations are days old: their logs were written before
// the editor was ever started.

import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Editor, pathWithKato, says, until } from "./harness.mjs";
import { claudeLog } from "./logs.mjs";

let editor;
const logs = {};

before(
  async () => {
    editor = await Editor.start({ environment: { PATH: await pathWithKato() } });
    const midnight = new Date().setHours(0, 0, 0, 0);
    const sinceMidnight = (Date.now() - midnight) / 3_600_000;
    const talk = async (id, title, hours, more = {}) =>
      (logs[id] = await claudeLog(editor, id, [title, `An answer about ${title.toLowerCase()}.`], { hours, ...more }));
    await talk("linker", "Why does the linker run twice in the release build of the project?", 24 * 5);
    await talk("backoff", "Add retries with backoff to the uploader", sinceMidnight + 2);
    await talk("settings", "Refactor the settings module", 24 * 20);
    await talk("elsewhere", "A needle in another project", 48, { cwd: "/elsewhere/other-project" });
    await claudeLog(
      editor,
      "long",
      Array.from({ length: 600 }, (_, index) => `Message ${index}. ${"A sentence that fills the log. ".repeat(230)}`),
      { hours: 24 * 3, title: "A conversation of four megabytes" },
    );
    await editor.open();
    await until(async () => /MB/.test(await editor.statusBar.innerText()), "the server", 100);
  },
  { timeout: 200_000 },
);
after(() => editor?.end());

const showView = async () => {
  await until(async () => {
    if (!(await editor.rows("linker").first().isVisible()))
      await editor.page.locator('.activitybar .action-item a[aria-label^="Kato"]').click({ force: true });
    return editor.rows("linker").first().isVisible();
  }, "the sessions view");
};
const page = () => editor.webview();
const theme = async (name) => {
  await editor.setting("workbench.colorTheme", name);
  await until(
    async () =>
      (await editor.page.locator(".monaco-workbench").getAttribute("class")).includes(
        /Light/.test(name) ? " vs " : "vs-dark",
      ),
    "the theme",
  );
};

test("conversations that are days old are listed by day, with their ages, as soon as the server runs", async () => {
  await showView();
  await until(() => editor.rows("Refactor the settings").isVisible(), "the oldest one");
  const groups = await editor.page.locator('.sidebar .monaco-list-row[aria-level="1"]').allInnerTexts();
  assert.deepEqual(
    groups.map((text) => text.replace(/\s+/g, "")),
    ["Yesterday1", "Last7days2", "Older1"],
  );
  const row = editor.rows("Why does the linker").first();
  assert.match(await row.innerText(), /5 days/);
  const description = row.locator(".label-description");
  const [box, side] = [await description.boundingBox(), await editor.page.locator(".part.sidebar").boundingBox()];
  assert.ok(box.x + 45 < side.x + side.width, "the age is in view at the default width");
  assert.equal(await editor.rows("needle").count(), 0, "another project's conversations are not listed");
  await editor.screenshot("20-old-sessions");
  await theme("Default Light Modern");
  await editor.screenshot("20b-old-sessions-light");
  await theme("Default Dark Modern");
});

test("a tooltip says when the last message was, in which folder, and where the conversation is", async () => {
  await editor.rows("Refactor the settings").first().hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(
    async () =>
      /Claude Code.*Last message: .*Folder: .*my-project.*In the assistant's log/s.test(await hover.innerText()),
    "the tooltip",
  );
  await editor.screenshot("20c-tooltip");
  await editor.page.mouse.move(900, 400);
});

test("a click opens the rendered conversation at its newest end, also one of four megabytes", async () => {
  await editor.rows("A conversation of four").click();
  const content = page().locator("#content");
  await until(async () => (await content.innerText()).includes("Message 599."), "the newest message", 60);
  await until(() => page().locator("#content > :last-child").isVisible(), "the end");
  const last = content.getByText("Message 599.").first();
  await until(async () => (await last.boundingBox())?.y < 800, "the newest message in view");
  assert.equal(await page().locator("#earlier").isVisible(), true);
  assert.equal(await page().locator("#title").innerText(), "A conversation of four megabytes");
  await editor.screenshot("21-preview");
  const first = async () => Number(/Message (\d+)\./.exec(await content.innerText())[1]);
  const before = await first();
  await page().locator("#earlier button").click();
  await until(async () => (await first()) < before, "earlier messages", 60);
});

test("the preview follows a conversation that goes on, and leaves a reader of earlier messages alone", async () => {
  const live = says("claude", "live");
  const texts = Array.from({ length: 40 }, (_, index) => `Paragraph ${index}.\n\nMore of it.\n\nAnd more.`);
  await editor.append("claude", "live", [
    live.user("A live conversation"),
    ...texts.map((text) => live.assistant(text)),
  ]);
  await until(() => editor.rows("A live conversation").isVisible(), "its row");
  await editor.rows("A live conversation").click();
  const content = page().locator("#content");
  await until(async () => (await content.innerText()).includes("Paragraph 39."), "the conversation");
  const scrollTop = () => content.evaluate(() => document.documentElement.scrollTop);
  const end = await until(scrollTop, "the end");
  await editor.append("claude", "live", [live.assistant("It goes on.\n\nLike this.")]);
  await until(async () => (await content.innerText()).includes("It goes on."), "the news");
  await until(async () => (await scrollTop()) > end, "the newest end in view");
  await content.evaluate(() => (document.documentElement.scrollTop = 200));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await editor.append("claude", "live", [live.user("And a question.")]);
  await until(async () => (await content.innerText()).includes("And a question."), "the question");
  assert.equal(await scrollTop(), 200);
  await theme("Default Light Modern");
  await editor.screenshot("21b-preview-light");
  await theme("Default Dark Modern");
});

test("the page names who spoke when, keeps the lines of the user, and is whole in a narrow editor and in high contrast", async () => {
  const one = says("claude", "page");
  await editor.append("claude", "page", [
    one.user("A conversation as a page\nin two lines"),
    one.assistant("# Overview\n\nUse `map`:\n\n```js\nconst doubled = list.map((one) => one * 2); // each\n```"),
  ]);
  await until(() => editor.rows("A conversation as a page").isVisible(), "its row");
  await editor.rows("A conversation as a page").click();
  const speakers = page().locator("#content .speaker");
  await until(async () => (await speakers.count()) === 2, "the speakers");
  assert.match(
    (await speakers.allInnerTexts()).join("; "),
    /^You \d{4}-\d\d-\d\d \d\d:\d\d; claude-sonnet-5 \d\d:\d\d$/,
  );
  assert.equal(await page().locator("#content p").first().innerText(), "A conversation as a page\nin two lines");
  await editor.page.setViewportSize({ width: 620, height: 720 });
  await until(
    async () =>
      (await page()
        .locator("body")
        .evaluate((body) => body.clientWidth)) < 330,
    "a narrow page",
  );
  for (const part of ["#title", "#capture", "#export", "#markdown"]) {
    const isWhole = await page()
      .locator(part)
      .evaluate((one) => one.getBoundingClientRect().right <= document.body.clientWidth && one.clientWidth > 40);
    assert.ok(isWhole, part);
  }
  await editor.screenshot("21c-preview-narrow");
  await editor.page.setViewportSize({ width: 1280, height: 800 });
  for (const [name, contrast] of [
    ["Default High Contrast Light", "hc-light"],
    ["Default High Contrast", "hc-black"],
  ]) {
    await editor.setting("workbench.colorTheme", name);
    await until(
      async () => (await editor.page.locator(".monaco-workbench").getAttribute("class")).includes(contrast),
      name,
    );
    await editor.screenshot(`21d-preview-${contrast}`);
  }
  await theme("Default Dark Modern");
});

test("HTML of a conversation neither runs nor loads anything in the preview", async () => {
  const evil = says("claude", "evil");
  await editor.append("claude", "evil", [
    evil.user("A hostile conversation"),
    evil.assistant(
      "<script>document.title='x'</script><img src=https://example.org/x.png onerror=document.title='y'> ![i](https://example.org/y.png)",
    ),
  ]);
  await until(() => editor.rows("A hostile").isVisible(), "its row");
  await editor.rows("A hostile").click();
  await until(async () => (await page().locator("#content").innerText()).includes("A hostile"), "the conversation");
  assert.equal(await page().locator("#content script").count(), 0);
  assert.equal(
    await page()
      .locator("title")
      .evaluate((title) => title.textContent),
    "Conversation",
  );
  assert.equal(
    await page()
      .locator("#content img")
      .first()
      .evaluate((image) => image.naturalWidth),
    0,
  );
});

test("the search finds words in a conversation that only its log has, while they are typed, and opens it at the hit", async () => {
  await editor.palette("Kato: Search Conversations");
  await until(async () => (await editor.picks.count()) > 3, "the newest conversations");
  await editor.screenshot("22-search-empty");
  await editor.input.pressSequentially("message 137", { delay: 40 });
  const hit = editor.picks.filter({ hasText: "A conversation of four megabytes" }).first();
  await until(async () => /»137«/.test(await hit.innerText()), "the hit");
  assert.match(await hit.innerText(), /Claude Code/);
  assert.match(await hit.innerText(), /3 days/);
  await editor.screenshot("22b-search");
  await editor.page.keyboard.press("Enter");
  const found = page().locator("#content mark").filter({ hasText: "137" }).first();
  await until(() => found.isVisible(), "the marked words", 60);
  const box = await found.boundingBox();
  assert.ok(box.y > 60 && box.y < 600, "the hit is in view");
  await editor.screenshot("22c-search-opened");
});

test("the search looks into other folders on demand, and says when it finds nothing", async () => {
  await editor.palette("Kato: Search Conversations");
  await editor.input.fill("needle");
  await until(async () => /No message contains/.test(await editor.picks.first().innerText()), "nothing here");
  await editor.page.locator('.quick-input-titlebar .action-label[aria-label^="Search All Folders"]').click();
  const hit = editor.picks.filter({ hasText: "another project" }).first();
  await until(async () => /other-project|»needle«/.test(await hit.innerText()), "the hit elsewhere");
  await theme("Default Light Modern");
  await editor.screenshot("22d-search-elsewhere-light");
  await theme("Default Dark Modern");
  await editor.page.keyboard.press("Escape");
});

test("a conversation whose log was deleted is marked, found and opened", async () => {
  await editor.rows("Add retries").first().click(); // now the journal has it
  await until(
    async () => (await page().locator("#content").innerText()).includes("An answer about add retries"),
    "the conversation",
  );
  await fs.rm(logs.backoff.file);
  await editor.palette("Kato: Refresh Sessions");
  const row = editor.rows("Add retries").first();
  await until(async () => /log deleted/.test(await row.innerText()), "the mark");
  await editor.screenshot("23-deleted");
  await row.click();
  await until(
    async () => (await page().locator("#content").innerText()).includes("An answer about add retries"),
    "the conversation",
  );
});

test("the view is filtered, says so, and shows all again", async () => {
  await editor.palette("Kato: Filter Sessions");
  await editor.picks
    .filter({ hasText: "Log Deleted" })
    .locator("input, .monaco-checkbox, .quick-input-list-checkbox")
    .first()
    .click();
  await editor.screenshot("24-filter-pick");
  await editor.page.locator(".quick-input-widget").getByRole("button", { name: "OK" }).click();
  await until(async () => (await editor.rows("linker").count()) === 0, "the filtered view");
  await until(
    () =>
      editor.page
        .locator(".sidebar")
        .getByText(/Filtered: 1 of \d+ conversations/)
        .isVisible(),
    "the message",
  );
  await editor.screenshot("24b-filtered");
  await editor.palette("Kato: Show All Sessions");
  await until(() => editor.rows("linker").first().isVisible(), "all of them");
});

test("the view is sorted by assistant and by title", async () => {
  const codex = says("codex", "x");
  await editor.append("codex", "x", [codex.user("Zebra"), codex.assistant("Stripes.")]);
  const gemini = says("gemini", "y");
  await editor.append("gemini", "y", [gemini.user("Aardvark"), gemini.assistant("Ants.")]);
  await editor.palette("Kato: Sort Sessions");
  await editor.picks.filter({ hasText: "By Assistant" }).click();
  await until(async () => (await editor.rows("Claude Code").count()) === 1, "the groups");
  await editor.screenshot("25-by-assistant");
  await editor.palette("Kato: Sort Sessions");
  await editor.picks.filter({ hasText: "By Title" }).click();
  await until(
    async () =>
      /Aardvark/.test(
        (await editor.rows().nth(2).innerText()) +
          (await editor.rows().first().innerText()) +
          (await editor.rows().nth(1).innerText()),
      ),
    "the sorted list",
  );
  await editor.palette("Kato: Sort Sessions");
  await editor.picks.filter({ hasText: "By Day" }).click();
  await until(async () => (await editor.rows("Older").count()) === 1, "the days");
});

test("the path of a note is checked while it is typed, with a way back and the editor's own dialog", async () => {
  await editor.palette("Kato: Capture Conversation");
  await editor.picks.filter({ hasText: "linker" }).first().click();
  const box = editor.page.locator(".quick-input-widget");
  await until(async () => /linker.*\.md$/.test(await editor.input.inputValue()), "the proposal");
  assert.match(await box.innerText(), /2\/2/);
  await editor.screenshot("26-path");
  await editor.input.fill("a.exe");
  await until(async () => /a\.exe: the name of the file must end in/.test(await box.innerText()), "the reason");
  await editor.screenshot("26b-path-refused");
  await editor.page.keyboard.press("Enter");
  assert.equal(await editor.input.inputValue(), "a.exe", "Enter does not leave the question");
  await editor.input.fill("/outside/a.md");
  await until(async () => /outside the allowed folders/.test(await box.innerText()), "the warning");
  await box.locator('.action-label[aria-label="Back"], .action-label[aria-label^="Back"]').first().click();
  await until(async () => (await editor.picks.count()) > 3, "the question before");
  await editor.picks.filter({ hasText: "linker" }).first().click();
  await until(async () => /linker.*\.md$/.test(await editor.input.inputValue()), "the proposal again");
  await box.locator('.action-label[aria-label^="Browse"]').click();
  await until(async () => /Show Local/.test(await box.innerText()), "the dialog");
  await editor.screenshot("26c-browse");
  const chosen = path.join(editor.workspace, "chosen.md");
  await editor.input.fill(chosen);
  await until(async () => {
    // The dialog lists the folder first, and may take the first click for that.
    const ok = box.getByRole("button", { name: "OK" });
    if (await ok.isVisible()) await ok.click({ timeout: 1000 });
    return (await editor.input.inputValue()) === "chosen.md" && /2\/2/.test(await box.innerText());
  }, "the chosen path");
  await editor.page.keyboard.press("Enter");
  await until(
    async () => (await editor.call("activeEditor"))?.path === path.join(editor.workspace, "chosen.md"),
    "the note",
  );
});

test("stopping a recording says what stopped, and asks which where there are several; the note opens from the row afterwards", async () => {
  await editor.clearToasts();
  const two = says("claude", "two");
  await editor.append("claude", "two", [two.user("The second recording\n::capture second.md")]);
  await until(
    async () => (await editor.page.locator(".activitybar .badge-content").allInnerTexts()).includes("2"),
    "the badge of this workspace",
  );
  await editor.palette("Kato: Stop Recording");
  await until(async () => (await editor.picks.count()) === 2, "the question");
  await editor.screenshot("27-stop-which");
  await editor.picks.filter({ hasText: "linker" }).click();
  const toast = editor.toast("Kato stopped recording").first();
  await until(async () => /chosen\.md/.test(await toast.innerText()), "the outcome");
  await editor.screenshot("27b-stopped");
  await editor.chooseInMenu(editor.rows("Why does the linker").first(), "Open Note");
  await until(
    async () => (await editor.call("activeEditor"))?.path === path.join(editor.workspace, "chosen.md"),
    "the note",
  );
  await editor.clearToasts();
  await editor.palette("Kato: Stop Recording");
  await until(
    async () => /second\.md/.test(await editor.toast("Kato stopped recording").first().innerText()),
    "the other one, without a question",
  );
  await until(
    async () => (await editor.page.locator(".activitybar .badge-content").allInnerTexts()).every((text) => text === ""),
    "no badge",
  );
});

test("an export says what it wrote", async () => {
  await editor.clearToasts();
  await editor.palette("Kato: Export Conversation");
  await editor.picks.filter({ hasText: "Zebra" }).click();
  await editor.picks.filter({ hasText: "JSON Lines" }).click();
  await until(async () => /\.jsonl$/.test(await editor.input.inputValue()), "the proposal");
  await editor.page.keyboard.press("Enter");
  const toast = editor.toast("Kato exported 2 events to").first();
  await until(() => toast.isVisible(), "the outcome");
  await editor.screenshot("28-exported");
});

test("commands are offered where they make sense", async () => {
  await editor.page.keyboard.press("Escape");
  await editor.page.keyboard.press("F1");
  await editor.input.fill(">Kato: ");
  await until(async () => (await editor.picks.count()) > 5, "the commands");
  const offered = (await editor.picks.allInnerTexts()).join("\n");
  await editor.screenshot("29-palette");
  for (const absent of ["Stop Recording", "Start Server", "Show All Sessions", "Load More"])
    assert.ok(!offered.includes(absent), absent);
  await editor.page.keyboard.press("Escape");
});

test("the hooks are shown before they are installed", async () => {
  await editor.clearToasts();
  await editor.palette("Kato: Install Hooks");
  const settings = path.join(editor.root, "home/.claude/settings.json");
  const toast = editor.toast("Kato's hooks change").first();
  await until(() => toast.isVisible(), "the question", 60);
  assert.match((await editor.call("activeEditor")).text, /UserPromptSubmit/);
  await editor.screenshot("30-hooks");
  await assert.rejects(fs.access(settings));
  await toast.getByRole("button", { name: "Install Hooks" }).click();
  await until(async () => /kato hook claude/.test(await fs.readFile(settings, "utf8")), "the hook", 60);
  await until(() => editor.toast("Kato's hooks are installed").first().isVisible(), "the outcome");
  await editor.screenshot("30b-hooks-installed");
  await editor.toast("Kato's hooks are installed").first().getByRole("button", { name: "Remove Hooks" }).click();
  await until(
    async () => !/kato hook claude/.test(await fs.readFile(settings, "utf8")),
    "the settings without the hook",
  );
  await until(() => editor.toast("Kato removed its hooks").first().isVisible(), "the outcome");
});

test("the editor offers Kato's MCP server to its chat, without a setting", async () => {
  await editor.clearToasts();
  await editor.setting("chat.disableAIFeatures", false);
  await editor.palette("MCP: List Servers");
  await until(() => editor.picks.filter({ hasText: "Kato" }).first().isVisible(), "the server", 40);
  await editor.screenshot("30c-mcp");
  await editor.page.keyboard.press("Escape");
  await editor.setting("chat.disableAIFeatures", true);
});

test("a list of more than a thousand conversations says so and loads more", async () => {
  await Promise.all(
    Array.from({ length: 1100 }, (_, index) =>
      claudeLog(editor, `m${index}`, [`Ancient question ${index}`, "An answer."], { hours: 24 * 30 + index }),
    ),
  );
  await editor.palette("Kato: Refresh Sessions");
  await until(async () => /Older\D*99\d/.test(await editor.rows("Older").first().innerText()), "the older ones", 60);
  await editor.page.locator(".sidebar .monaco-list").first().focus();
  await editor.page.keyboard.press("End");
  const more = editor.rows("Load More").first();
  await until(() => more.isVisible(), "the last row");
  await editor.screenshot("31-more");
  await more.click();
  await until(async () => (await editor.rows("Load More").count()) === 0, "the rest", 60);
});
