// Kato in a real VS Code, as a user meets it. Each test stands on the ones before it: one window, one story.

import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Editor, says, STORAGE, until } from "./harness.mjs";

let editor;
const claude = says("claude", "session-one");

before(
  async () => {
    editor = await Editor.start({
      files: {
        // An older version was here, and a window that was closed while it installed.
        [`${STORAGE}/server-0.0.9-00000000/kato-installed`]: "",
        [`${STORAGE}/server-0.1.0-00000000.1234.new/pyvenv.cfg`]: "",
        "modules/kato/__main__.py": "raise SystemExit('the server must not run what the user has on PYTHONPATH')",
      },
      environment: { PYTHONPATH: "../../../../modules" },
    });
    await editor.open();
  },
  { timeout: 120_000 },
);
after(() => editor?.end());

test(
  "the first start sets up a private server, with no kato on the PATH, and the status bar shows its real memory",
  { timeout: 240_000 },
  async () => {
    await until(() => editor.toast("Kato sets up its server").isVisible(), "the progress notification", 60);
    await editor.screenshot("01-setup");
    const text = await until(
      async () => /(\d+) \/ 200 MB/.exec(await editor.statusBar.innerText()),
      "figures in the status bar",
      200,
    );
    const { memory, daemonPid } = await until(() => editor.statusFile(), "the server's own status file");
    assert.ok(
      Math.abs(Number(text[1]) - memory.process.rss / 2 ** 20) < 8,
      `${text[1]} MB in the status bar, ${memory.process.rss} bytes in the status file`,
    );
    assert.deepEqual(editor.servers(), [daemonPid], "one server runs");
    assert.match(
      await fs.readFile(`/proc/${daemonPid}/cmdline`, "utf8"),
      /globalStorage\/kato\.kato\/server-0\.1\.0-[0-9a-f]{8}\/bin\/python/,
      "it is the private one",
    );
    const stored = await editor.stored();
    assert.equal(stored.length, 1, `nothing older and nothing half-made is left: ${stored}`);
    assert.match(stored[0], /^server-0\.1\.0-[0-9a-f]{8}$/);
  },
);

test("the tooltip is a table of the server's figures", async () => {
  await editor.statusBar.hover();
  const hover = editor.page.locator(".monaco-hover:visible");
  await until(
    async () => /Snapshots.*Sessions.*Evictions.*Journal/s.test(await hover.innerText()),
    "the table in the tooltip",
  );
  await editor.screenshot("02-tooltip");
  await editor.page.keyboard.press("Escape");
});

test("a ::capture in a conversation that another extension hands over becomes a note, and Open opens it", async () => {
  assert.equal(await editor.call("version"), 1);
  const answer = await editor.append("claude", "session-one", [
    claude.user("How does a B-tree split a full page?"),
    claude.assistant(
      "It moves the median key up to the parent:\n\n```python\ndef split(page):\n    middle = len(page.keys) // 2\n    return page.keys[middle]\n```\n\nBoth halves stay at least half full.",
    ),
    claude.user("Good. Keep this.\n::capture notes/b-trees.md"),
  ]);
  assert.deepEqual(
    answer.commands.map(({ status }) => status),
    ["ok"],
  );
  const file = path.join(editor.workspace, "notes/b-trees.md");
  const note = await fs.readFile(file, "utf8");
  assert.match(note, /^---\nid: [a-z0-9]{23}\ntitle: B Trees\n/);
  assert.ok(note.includes("How does a B-tree split a full page?") && note.includes("    return page.keys[middle]"));
  await until(
    async () => (await editor.outcomeItem.innerText()).includes("Captured to b-trees.md"),
    "the quiet message",
  );
  await editor.screenshot("03-captured");
  await editor.outcomeItem.click();
  await until(async () => (await editor.call("activeEditor"))?.path === file, "the note in an editor");
});

test("the session stands in the view with its title, and its recording in the status bar", async () => {
  await until(async () => {
    if (!(await editor.rows("How does a B-tree").isVisible()))
      await editor.page.locator('.activitybar .action-item a[aria-label^="Kato"]').click({ force: true });
    return editor.rows("How does a B-tree").isVisible();
  }, "the session's row");
  await until(async () => /recording/.test(await editor.rows("How does a B-tree").innerText()), "recording in the row");
  await until(
    async () =>
      (await editor.statusBar.locator(".codicon-record").count()) === 1 &&
      /MB\s*1$/.test((await editor.statusBar.innerText()).trim()),
    "the recording dot",
  );
  await editor.screenshot("04-sessions");
});

test("a message after the capture is added to the note", async () => {
  await editor.append("claude", "session-one", [claude.assistant("The root splits last.")]);
  await until(
    async () =>
      (await fs.readFile(path.join(editor.workspace, "notes/b-trees.md"), "utf8")).includes("The root splits last."),
    "the reply in the note",
  );
});

test("a session opens as read-only Markdown and follows the conversation", async () => {
  // A row that is drawn again between the press and the release of the button is selected, and does not open.
  await until(async () => /4 events/.test(await editor.rows("How does a B-tree").innerText()), "the row as it stays");
  await editor.chooseInMenu(editor.rows("How does a B-tree"), "Open as Markdown");
  await until(async () => {
    const active = await editor.call("activeEditor");
    return (
      active?.scheme === "kato-session" &&
      active.language === "markdown" &&
      active.text.includes("Both halves stay at least half full.")
    );
  }, "the transcript");
  await editor.append("claude", "session-one", [claude.user("And deletion?")]);
  await until(
    async () => (await editor.call("activeEditor"))?.text.includes("And deletion?"),
    "the new message in the transcript",
  );
  await editor.page.keyboard.press("Control+Home");
  await editor.page.keyboard.type("x");
  assert.ok(!(await editor.call("activeEditor")).text.startsWith("x"), "it cannot be edited");
  await editor.screenshot("05-transcript");
});

test("the status bar opens the sessions with title, age, size and recording, and what can be done with each", async () => {
  await editor.statusBar.click();
  const row = editor.picks.filter({ hasText: "How does a B-tree" });
  await until(
    async () => /min ago · [\d.]+ kB · 5 events · recording/.test(await row.innerText()),
    "the figures of the session",
  );
  assert.match(await row.innerText(), /(Claude Code|claude)$/m, "the assistant's name, or its id");
  for (const action of ["Capture…", "Stop Recording", "Open Note", "Export…", "Open Conversation"])
    assert.equal(await row.getByRole("button", { name: action }).count(), 1, action);
  await editor.screenshot("05b-status-bar-sessions");
  await row.click();
  await until(async () => (await editor.picks.count()) === 5, "the actions by name");
  await editor.picks.filter({ hasText: "Open Note" }).click();
  await until(async () => (await editor.call("activeEditor"))?.path.endsWith("notes/b-trees.md"), "the note");
});

test("recording stops from the row", async () => {
  const row = editor.rows("How does a B-tree");
  await row.hover();
  await row.locator('.action-label[aria-label^="Stop Recording"]').click();
  await until(async () => !/recording/.test(await row.innerText()), "the row without a recording");
  await until(async () => /Stopped recording b-trees.md/.test(await editor.outcomeItem.innerText()), "the outcome");
  await until(
    async () => (await editor.statusBar.locator(".codicon-record").count()) === 0,
    "the status bar without a dot",
  );
});

test("capture from the palette: the most recent conversation first, a proposed file, and the note opens", async () => {
  const codex = says("codex", "session-two");
  await editor.append("codex", "session-two", [
    codex.user("Why is my build slow?"),
    codex.assistant("The linker runs twice.", "gpt-5-codex"),
  ]);
  await editor.palette("Kato: Capture Conversation");
  await until(
    async () => (await editor.picks.first().innerText()).includes("Why is my build slow?"),
    "the newest conversation first",
  );
  await editor.screenshot("06-capture-pick");
  await editor.page.keyboard.press("Enter");
  const proposed = await until(async () => {
    const value = await editor.input.inputValue();
    return value.includes("why-is-my-build-slow") && value;
  }, "a proposed file");
  assert.match(proposed, /^notes\/\d{4}-\d\d-\d\d_\d{4}-why-is-my-build-slow-sessiont\.md$/);
  const note = path.join(editor.workspace, proposed);
  await editor.screenshot("07-capture-destination");
  await editor.page.keyboard.press("Enter");
  await until(async () => {
    const active = await editor.call("activeEditor");
    return active?.path === note && active.text.includes("The linker runs twice.");
  }, "the note in an editor");
  await editor.append("codex", "session-two", [codex.user("Keep recording.")]);
  await until(async () => (await fs.readFile(note, "utf8")).includes("Keep recording."), "what follows in the note");
  await editor.screenshot("08-captured-note");
});

test("another conversation of the same title gets a file of its own, by the keyboard alone", async () => {
  const third = says("codex", "build-three");
  await editor.append("codex", "build-three", [
    third.user("Why is my build slow?"),
    third.assistant("The cache is cold.", "gpt-5-codex"),
  ]);
  await editor.page.keyboard.press("Control+k");
  await editor.page.keyboard.press("k");
  await until(async () => /2 events/.test(await editor.picks.first().innerText()), "the newest conversation first");
  await editor.page.keyboard.press("Enter");
  const proposed = await until(async () => {
    const value = await editor.input.inputValue();
    return value.endsWith("-why-is-my-build-slow-buildthr.md") && value;
  }, "a name of its own");
  await editor.page.keyboard.press("Enter");
  const note = path.join(editor.workspace, proposed);
  await until(async () => (await editor.call("activeEditor"))?.path === note, "the note in an editor");
  const folder = path.dirname(note);
  const other = (await fs.readdir(folder)).find((name) => name.endsWith("-why-is-my-build-slow-sessiont.md"));
  assert.ok(
    (await fs.readFile(path.join(folder, other), "utf8")).includes("The linker runs twice."),
    "the other note is as it was",
  );
});

test("export writes every event as a line, once", async () => {
  await editor.palette("Kato: Export");
  await editor.picks.filter({ hasText: "2 events" }).first().click();
  await editor.picks.filter({ hasText: "JSON Lines" }).click();
  const proposed = await until(async () => {
    const value = await editor.input.inputValue();
    return value.endsWith("-why-is-my-build-slow-buildthr.jsonl") && value;
  }, "a proposed file");
  const file = path.join(editor.workspace, proposed);
  await editor.page.keyboard.press("Enter");
  await until(async () => (await editor.call("activeEditor"))?.path === file, "the export in an editor");
  const kinds = (await fs.readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).kind);
  assert.deepEqual(kinds, ["message.user", "message.assistant"]);
});

test("other extensions read the memory, capture, are notified of changes, and get the reason of a refusal", async () => {
  const { process: figures, daemonMaxMemoryBytes } = await editor.call("memory");
  assert.ok(figures.rss > 10 * 2 ** 20 && figures.rss < daemonMaxMemoryBytes);
  const before = await editor.call("statusCount");
  const outcome = await editor.call("capture", {
    provider: "codex",
    sessionId: "build-three",
    path: path.join(editor.workspace, "api.md"),
  });
  assert.deepEqual([outcome.status, outcome.outputPath], ["ok", path.join(editor.workspace, "api.md")]);
  await until(async () => (await editor.call("statusCount")) > before, "the news of it");
  assert.equal((await editor.call("status")).recordings.activeRecordings, 2);
  await assert.rejects(editor.append("codex", "build-three", [{ kind: "message.user" }]), /events\[0\]/);
  await editor.call("execute", "kato.stopRecording", {
    kind: "session",
    session: { provider: "codex", sessionId: "build-three" },
  });
  await until(async () => (await editor.call("status")).recordings.activeRecordings === 1, "the end of the recording");
});

test("a denied folder is shown with its cure, and the cure works", async () => {
  const outside = path.join(editor.root, "elsewhere", "vault");
  await fs.mkdir(outside, { recursive: true });
  await editor.append("claude", "session-one", [claude.user(`::capture ${outside}/x.md`)]);
  const toast = editor.toast("allowed");
  await until(() => toast.first().isVisible(), "the notification");
  assert.equal(await toast.count(), 1, "it is shown once");
  await editor.screenshot("09-denied");
  await toast.first().getByRole("button", { name: "Allow This Folder" }).click();
  await until(() => fs.access(path.join(outside, "x.md")).then(() => true), "the note after all");
  await until(
    async () => (await editor.outcomeItem.innerText()).includes("Captured to x.md"),
    "the quiet word that it worked",
  );
  assert.deepEqual(
    JSON.parse(await fs.readFile(editor.settingsFile, "utf8"))["kato.allowedWriteRoots"],
    [outside],
    "that folder alone, in the user's settings",
  );
  await assert.rejects(fs.access(path.join(editor.workspace, ".vscode")), "the project is left alone");
  await editor.append("claude", "session-one", [claude.user("::export notes/still.md")]);
  await fs.access(path.join(editor.workspace, "notes/still.md"));
});

test("a folder is not allowed by a click that would cure nothing", async () => {
  await editor.clearToasts();
  await editor.append("claude", "session-one", [claude.user("::export notes")]);
  const toast = editor.toast("is a folder").first();
  await until(() => toast.isVisible(), "the notification");
  assert.match(
    await toast.innerText(),
    /^Kato: ::export failed: notes is a folder; name a file in it/m,
    "a path in the workspace",
  );
  assert.equal(await toast.getByRole("button", { name: "Allow This Folder" }).count(), 0);
  await editor.screenshot("09b-folder");
  await toast.getByRole("button", { name: "Choose Another File…" }).click();
  await until(() => editor.picks.filter({ hasText: "JSON Lines" }).isVisible(), "the command that asks for a file");
  await editor.page.keyboard.press("Escape");
});

test("settings that cannot be written are reported when a folder is to be allowed", async () => {
  await editor.clearToasts();
  const good = await fs.readFile(editor.settingsFile, "utf8");
  await fs.writeFile(editor.settingsFile, `${good.trimEnd().slice(0, -1)}, oops`);
  const other = path.join(editor.root, "elsewhere", "second");
  await editor.append("claude", "session-one", [claude.user(`::export ${other}/y.md`)]);
  const toast = editor.toast("outside the allowed folders").first();
  await until(() => toast.isVisible(), "the notification");
  await toast.getByRole("button", { name: "Allow This Folder" }).click();
  const failure = editor.toast("kato.allowedWriteRoots was not changed").first();
  await until(() => failure.isVisible(), "why the click did nothing");
  await editor.screenshot("09c-settings-broken");
  assert.ok(await failure.getByRole("button", { name: "Open User Settings" }).isVisible());
  await fs.writeFile(editor.settingsFile, good);
  await until(
    async () => (await editor.call("get", "kato.allowedWriteRoots")).length === 1,
    "the settings as they were",
  );
  await editor.clearToasts();
});

test("the memory view draws the process, the snapshots and the limit, and lists the largest sessions", async () => {
  await editor.palette("Kato: Show Memory");
  const page = editor.webview();
  await until(async () => (await page.locator("path.rss").getAttribute("d"))?.includes(","), "the line of the process");
  assert.ok((await page.locator("path.limit").getAttribute("d")).includes(","));
  await until(async () => (await page.locator("#sessions tr").count()) >= 2, "rows in the table");
  assert.match(await page.locator("#summary").innerText(), /The process takes \d+ MB of 200 MB/);
  assert.deepEqual(
    editor.console.filter((line) => /Content Security Policy/.test(line) && /kato/i.test(line)),
    [],
  );
  assert.equal(await page.locator("svg").getAttribute("aria-label"), "Memory over time");
  assert.equal(await page.locator("[role=status]").isVisible(), false, "a screen reader does not announce figures");
  await editor.screenshot("10-memory");
});

test("the memory view takes its colours from the theme", async () => {
  const colours = () =>
    editor
      .webview()
      .locator("body")
      .evaluate((body) => [getComputedStyle(body).color, getComputedStyle(body.querySelector("path.rss")).stroke]);
  const dark = await colours();
  await editor.setting("workbench.colorTheme", "Default Light Modern");
  const light = await until(async () => {
    const now = await colours();
    return now[0] !== dark[0] && now;
  }, "the light theme's text");
  assert.notEqual(light[1], dark[1], "the line of the process is another blue");
  await editor.screenshot("10b-memory-light");
  await editor.setting("workbench.colorTheme", "Default Dark Modern");
  await until(async () => (await colours())[0] === dark[0], "the dark theme again");
});

test("settings change live: the limit in the status bar, what a note holds", async () => {
  await editor.setting("kato.daemonMaxMemoryMb", 300);
  await until(async () => /\/ 300 MB/.test(await editor.statusBar.innerText()), "the new limit");
  const [pid] = editor.servers();
  await editor.setting("kato.daemonMaxMemoryMb", undefined);
  await until(async () => /\/ 200 MB/.test(await editor.statusBar.innerText()), "the default again");
  const key = { provider: "codex", sessionId: "build-three" };
  const note = async (name) =>
    fs.readFile((await editor.call("capture", { ...key, path: path.join(editor.workspace, name) })).outputPath, "utf8");
  assert.ok(!(await note("plain.md")).includes("*Why is my build slow?*"));
  await editor.setting("kato.markdown.italicizeUserMessages", true);
  await until(async () => (await note("italic.md")).includes("*Why is my build slow?*"), "italics in the next note");
  await editor.setting("kato.markdown.italicizeUserMessages", undefined);
  await until(
    async () => !(await note("plain.md")).includes("*Why is my build slow?*"),
    "none after it was taken back",
  );
  await editor.call("execute", "kato.stopRecording", { kind: "session", session: key });
  assert.deepEqual(editor.servers(), [pid], "the server was not restarted for it");
});

test("a wrong setting is refused and shown, and the old one stays in force", async () => {
  await editor.setting("kato.markdown.timezone", "Mars/Olympus");
  const toast = editor.toast("Kato ignored the change: kato.markdown.timezone must be").first();
  await until(() => toast.isVisible(), "the notification");
  await editor.screenshot("11-wrong-setting");
  await editor.setting("kato.markdown.timezone", undefined);
  await editor.clearToasts();
});

test("a server that is killed comes back", async () => {
  const [pid] = editor.servers();
  process.kill(pid, "SIGKILL");
  await until(() => editor.servers().length === 1 && editor.servers()[0] !== pid, "another server");
  await until(async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText()), "figures again");
  const answer = await editor.append("claude", "session-one", [claude.user("Still there?")]);
  assert.equal(answer.accepted, 1);
});

test("200 sessions are listed, and one that grows moves nothing else", async () => {
  for (let index = 0; index < 200; index++) {
    const many = says("gemini", `many-${index}`);
    await editor.append("gemini", `many-${index}`, [
      many.user(`Question number ${index}`),
      many.assistant("An answer.", "gemini-3-pro"),
    ]);
  }
  await until(() => editor.rows("Question number 199").isVisible(), "the newest of them", 40);
  // Rows that the list takes out or puts in are what flickers; the row that grew may be one, its 25 neighbours may not.
  const tree = editor.page.locator(".sidebar .monaco-list").first();
  await tree.evaluate((list) => {
    window.katoRows = [];
    const rowsOf = (nodes) =>
      [...nodes]
        .filter((node) => node.classList?.contains("monaco-list-row"))
        .map((node) => node.getAttribute("aria-label"));
    new MutationObserver((records) =>
      window.katoRows.push(
        ...records.flatMap((record) => [...rowsOf(record.addedNodes), ...rowsOf(record.removedNodes)]),
      ),
    ).observe(list, { childList: true, subtree: true });
  });
  const place = await editor.rows("Question number 190").boundingBox();
  const grown = says("gemini", "many-199");
  await editor.append("gemini", "many-199", [grown.assistant("Another answer.", "gemini-3-pro")]);
  await until(
    async () => /3 events/.test(await editor.rows("Question number 199").innerText()),
    "the row that says something new",
  );
  const drawn = await editor.page.evaluate(() => window.katoRows);
  assert.deepEqual(
    drawn.filter((label) => !label?.startsWith("Question number 199")),
    [],
    "no other row was drawn again",
  );
  assert.deepEqual(await editor.rows("Question number 190").boundingBox(), place, "the others are where they were");
  await editor.rows("Question number 190").hover();
  await editor.page.mouse.wheel(0, 600);
  await until(async () => (await editor.rows("Question number 180").count()) === 1, "the scrolled view");
  const scrolled = await editor.rows("Question number 180").boundingBox();
  await editor.append("gemini", "many-198", [says("gemini", "many-198").assistant("And here.", "gemini-3-pro")]);
  const shown = editor.webview().locator("#sessions tr").filter({ hasText: "Question number 198" });
  await until(async () => (await shown.locator("td").nth(3).innerText()) === "3", "the news of it, in the memory view");
  assert.equal(
    (await editor.rows("Question number 180").boundingBox()).y,
    scrolled.y,
    "a scrolled view stays where it is",
  );
  await editor.screenshot("12-many");
});

test("a command says that the server is stopped and offers to start it", async () => {
  await editor.setting("kato.server.command", ["/nonexistent/kato", "serve"]);
  await until(async () => /stopped/.test(await editor.statusBar.innerText()), "the stopped server in the status bar");
  await until(() => editor.toast("/nonexistent/kato was not found").first().isVisible(), "why it does not start");
  for (const command of [
    "Capture Conversation",
    "Record",
    "Export",
    "Show Sessions",
    "Show Memory",
    "Refresh Sessions",
  ]) {
    await editor.clearToasts();
    await editor.palette(`Kato: ${command}`);
    const offer = editor.toast("Kato's server does not start").first().getByRole("button", { name: "Start" });
    await until(() => offer.isVisible(), `the answer of ${command}`);
  }
  await editor.clearToasts();
  await editor.palette("Kato: Capture Conversation");
  const toast = editor.toast("Kato's server does not start");
  await until(() => toast.first().isVisible(), "the answer of the command");
  await editor.screenshot("13-stopped");
  await editor.setting("kato.server.command", undefined);
  await toast.first().getByRole("button", { name: "Start" }).click();
  await until(
    async () => /Question number/.test(await editor.picks.first().innerText()),
    "what the command was about, now that the server runs",
    40,
  );
  await editor.page.keyboard.press("Escape");
  await until(async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText()), "the server again", 40);
  await editor.clearToasts();
});

test("a server that always ends is started a few times, then no more", async () => {
  const starts = path.join(editor.root, "starts");
  await editor.setting("kato.server.command", ["sh", "-c", `echo . >> ${starts}; exit 3`]);
  const toast = editor.toast("ended unexpectedly 5 times");
  await until(() => toast.first().isVisible(), "the notification");
  await until(async () => /stopped/.test(await editor.statusBar.innerText()), "the stopped server in the status bar");
  assert.equal((await fs.readFile(starts, "utf8")).trim().split("\n").length, 5);
  await editor.screenshot("13b-crashes");
  await editor.setting("kato.server.command", undefined);
  await until(async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText()), "the server again", 40);
  assert.equal((await fs.readFile(starts, "utf8")).trim().split("\n").length, 5, "it was left alone meanwhile");
  await editor.clearToasts();
});

test("over budget: the end is shown with what can be done, nothing restarts by itself, and a raised limit cures it", async () => {
  await editor.setting("kato.daemonMaxMemoryMb", 1);
  await until(async () => /Kato \d+ MB/.test(await editor.statusBar.innerText()), "the small limit");
  await editor.clearToasts();
  const big = says("claude", "big");
  await editor
    .append("claude", "big", [big.user("A".repeat(700_000)), big.assistant("B".repeat(700_000))])
    .catch(() => undefined);
  const toast = editor.toast("Kato stopped. The conversation “AAAA");
  await until(() => toast.first().isVisible(), "the notification, which names the conversation");
  await until(async () => /stopped: over its limit/.test(await editor.statusBar.innerText()), "the status bar");
  assert.match(await editor.statusBar.getAttribute("class"), /error-kind/);
  await editor.screenshot("14-over-budget");
  // A restart would be shown immediately (the item would show a start) and done within 250 ms; a command takes longer.
  await editor.clearToasts();
  await editor.palette("Kato: Capture Conversation");
  const answer = editor.toast("Kato stopped. The conversation “AAAA").first();
  await until(() => answer.isVisible(), "the command's answer");
  assert.match(await editor.statusBar.innerText(), /stopped: over its limit/);
  assert.deepEqual(editor.servers(), [], "it does not come back by itself");
  await answer.getByRole("button", { name: "Raise Limit…" }).click();
  await editor.input.fill("150");
  await editor.page.keyboard.press("Enter");
  await until(async () => /\d+ \/ 150 MB/.test(await editor.statusBar.innerText()), "the raised limit");
  assert.equal(
    (await editor.call("appendEvents", { provider: "claude", sessionId: "big", events: [big.user("And on.")] }))
      .accepted,
    1,
  );
});

test("a window that is closed leaves no process behind", { timeout: 60_000 }, async () => {
  assert.equal(editor.servers().length, 1);
  await editor.close();
  await until(() => editor.servers().length === 0, "the end of the server", 30);
});
