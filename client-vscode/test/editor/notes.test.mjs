// Notes that the user works on while they record: in a real VS Code with automatic saving off, as the desktop has it.

import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { Editor, pathWithKato, says, until } from "./harness.mjs";

let editor;
let number = 0;

before(
  async () => {
    editor = await Editor.start({
      environment: { PATH: await pathWithKato() },
      settings: { "files.autoSave": "off", "explorer.confirmDelete": false, "explorer.compactFolders": false },
    });
    await editor.open();
    await until(async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText()), "the server", 60);
  },
  { timeout: 120_000 },
);
after(() => editor?.end());
beforeEach(() => editor.clearToasts());

/** A conversation of its own that records to a note of its own. */
async function talk(name) {
  const id = `talk-${++number}-${name.replaceAll(/\W/g, "-")}`;
  const one = says("claude", id);
  const say = (...events) => editor.append("claude", id, events);
  await say(one.user(`The conversation of ${name}`), one.assistant("A first answer."), one.user(`::capture ${name}`));
  const file = path.join(editor.workspace, name);
  return { ...one, id, say, file, read: (other = file) => fs.readFile(other, "utf8") };
}

const recordings = async () => (await editor.call("status")).recordings.activeRecordings;
/** The document in the active editor. Whether it is unsaved is read from its tab: the API misses keys typed during a save. */
async function active() {
  const found = await editor.call("activeEditor");
  return found && { ...found, isDirty: (await editor.page.locator(".tabs-container .tab.active.dirty").count()) > 0 };
}
const isThere = (file) =>
  fs.access(file).then(
    () => true,
    () => false,
  );

/**
 * Opens a note and types above the conversation, as a user who remarks on it; nothing is saved. While Kato adds a message to a
 * clean note, its save may take the remark along (`isSavedToo`).
 */
async function remark(file, text, { isSavedToo = false } = {}) {
  await editor.call("open", file);
  await until(async () => (await active())?.path === file, "the note in an editor");
  await editor.page.locator(".editor-instance .view-lines").first().click();
  await editor.page.keyboard.press("Control+End");
  await editor.page.keyboard.press("Enter");
  await editor.page.keyboard.type(text);
  await until(async () => {
    const { isDirty, text: shown } = await active();
    return (isDirty || isSavedToo) && shown.includes(text);
  }, "the remark");
}

async function save() {
  await editor.page.keyboard.press("Control+s");
  await until(async () => !(await active()).isDirty, "the saved note");
}

/** Once what an editor shows is what the file says, nothing is left to conflict. */
async function agree(file) {
  await until(
    async () =>
      (await active())?.path === file &&
      !(await active()).isDirty &&
      (await active()).text === (await fs.readFile(file, "utf8")),
    "one text in the editor and in the file",
  );
}

/** The row of a file or folder in the explorer. */
async function explorer(file) {
  const row = editor.page
    .locator(".explorer-folders-view .monaco-list-row")
    .filter({ hasText: path.basename(file) })
    .first();
  await until(
    async () => {
      await editor.call("reveal", file);
      return row.isVisible();
    },
    `${path.basename(file)} in the explorer`,
  );
  return row;
}

async function rename(row, name) {
  const box = editor.page.locator(".explorer-folders-view .monaco-inputbox input");
  await until(async () => {
    await row.click();
    await editor.page.keyboard.press("F2");
    await box.waitFor({ timeout: 2000 });
    return true;
  }, "the box for the new name");
  await box.fill(name);
  await editor.page.keyboard.press("Enter");
}

test("a note shows what it records: code lenses that stop it, links, and each heading once in the outline", async () => {
  const chat = await talk("notes/shown.md");
  await editor.call("open", chat.file);
  const lenses = () => editor.page.locator(".codelens-decoration").allInnerTexts();
  await until(async () => /Recording, .*Stop.*Update/s.test((await lenses()).join(" ")), "the lenses");
  await editor.screenshot("32-lenses");
  const shown = await editor.call("shownOf", chat.file);
  assert.deepEqual(
    shown.symbols.filter((name) => name.includes("User_")).length,
    (await chat.read()).match(/^# User_/gm).length,
    `each heading is in the outline once: ${shown.symbols.join(", ")}`,
  );
  assert.ok(
    shown.links.some((target) => target.startsWith("kato-session:")),
    shown.links.join(", "),
  );
  assert.ok(shown.folds > 2);
  assert.match(shown.hover, /\*\*You\*\*/);
  await editor.page.locator(".codelens-decoration a").filter({ hasText: "Stop" }).click();
  await until(
    async () => /Captured, .*Update/s.test((await lenses()).join(" ")),
    "the lenses of a note that was stopped",
  );
  await editor.screenshot("33-stopped");
});

test("what is said comes into a note with unsaved changes, and saving keeps both without a conflict", async () => {
  const chat = await talk("notes/live.md");
  const before = await chat.read();
  await remark(chat.file, "My remark, not saved yet.");
  await chat.say(chat.assistant("Said while the note is dirty 1."));
  await chat.say(chat.assistant("Said while the note is dirty 2."));
  await until(async () => (await active()).text.includes("dirty 2."), "the messages in the editor");
  assert.equal((await active()).isDirty, true, "it is still the user's to save");
  assert.equal(await chat.read(), before, "the file was left alone");
  await editor.screenshot("30-dirty");
  await save();
  const text = await chat.read();
  assert.ok(
    ["My remark, not saved yet.", "dirty 1.", "dirty 2."].every((words) => text.includes(words)),
    text,
  );
  await chat.say(chat.assistant("Said after it was saved 3."));
  await until(async () => (await chat.read()).includes("Said after it was saved 3."), "what follows in the file");
  await agree(chat.file);
  assert.equal(
    await editor.page.locator(".notifications-toasts .notification-list-item").count(),
    0,
    "nothing had to be said",
  );
  await editor.screenshot("31-saved");
});

test("a note that is open and clean stays clean, and one can begin to type at any moment", async () => {
  const chat = await talk("notes/clean.md");
  await editor.call("open", chat.file);
  for (let message = 1; message <= 5; message++) {
    await chat.say(chat.assistant(`Message ${message} of five.`));
    if (message === 3) await remark(chat.file, "Typed in between.", { isSavedToo: true });
  }
  await until(async () => (await active()).text.includes("Message 5 of five."), "all in the editor");
  await save();
  await agree(chat.file);
  const text = await chat.read();
  assert.deepEqual(
    [...text.matchAll(/Message (\d) of five/g)].map(([, found]) => found),
    ["1", "2", "3", "4", "5"],
  );
  assert.equal(text.split("Typed in between.").length, 2);
});

test("who types at the end of the note is not interrupted, and goes on where they were", async () => {
  const chat = await talk("notes/typing.md");
  await remark(chat.file, "A sentence");
  await chat.say(chat.assistant("Said in the middle of it 1."));
  await editor.page.keyboard.type(" that takes two seconds to type", { delay: 60 });
  await chat.say(chat.assistant("Said in the middle of it 2."));
  await editor.page.keyboard.type(", no less.", { delay: 60 });
  await until(async () => (await active()).text.includes("middle of it 2."), "the messages, once the user pauses");
  await editor.screenshot("31b-typed");
  await editor.page.keyboard.type(" And more.", { delay: 60 });
  await until(async () => (await active()).text.includes("And more."), "the end of the remark");
  assert.ok(
    (await active()).text.includes("A sentence that takes two seconds to type, no less. And more.\n"),
    (await active()).text,
  );
  await save();
  await agree(chat.file);
});

test("Don't Save throws the user's words away and nothing else", async () => {
  const chat = await talk("notes/discarded.md");
  await remark(chat.file, "Never mind.");
  await chat.say(chat.assistant("Said while it was unsaved."));
  await until(async () => (await active()).text.includes("Said while it was unsaved."), "the message in the editor");
  await editor.palette("View: Close Editor");
  await editor.page.locator(".monaco-dialog-box").getByRole("button", { name: "Don't Save" }).click();
  await until(async () => (await chat.read()).includes("Said while it was unsaved."), "the message in the file");
  assert.ok(!(await chat.read()).includes("Never mind."));
  await chat.say(chat.assistant("And on."));
  await until(async () => (await chat.read()).endsWith("And on.\n"), "what follows");
  assert.equal((await chat.read()).match(/Said while it was unsaved/g).length, 1);
});

test("a message that an undo took out comes back, and the user is notified", async () => {
  const chat = await talk("notes/undone.md");
  await remark(chat.file, "A remark.");
  await chat.say(chat.user("A message that is undone by mistake."));
  await until(async () => (await active()).text.includes("undone by mistake"), "the message in the editor");
  await editor.page.keyboard.press("Control+z");
  await until(async () => !(await active()).text.includes("undone by mistake"), "the undo");
  await editor.page.keyboard.press("Control+s");
  await until(async () => (await chat.read()).includes("undone by mistake"), "the message in the file after all");
  await until(() => editor.toast("was saved without text").first().isVisible(), "the notice");
  await editor.screenshot("32-undone");
  await agree(chat.file);
});

test("Revert File shows the file again, with what was said", async () => {
  const chat = await talk("notes/reverted.md");
  await remark(chat.file, "Never mind.");
  await chat.say(chat.assistant("Said before the revert."));
  await until(async () => (await active()).text.includes("Said before the revert."), "the message in the editor");
  await editor.palette("File: Revert File");
  await agree(chat.file);
  await until(async () => (await chat.read()).includes("Said before the revert."), "the message in the file");
  await agree(chat.file);
  assert.ok(!(await chat.read()).includes("Never mind."));
});

test("a capture onto an unsaved draft goes below the user's words", async () => {
  const draft = path.join(editor.workspace, "draft.md");
  await fs.writeFile(draft, "# My draft\n");
  await remark(draft, "Words that were never saved.");
  const chat = await talk("draft.md");
  await until(async () => (await active()).text.includes("A first answer."), "the conversation in the editor");
  assert.equal(await fs.readFile(draft, "utf8"), "# My draft\n");
  await editor.screenshot("33-draft");
  await save();
  assert.match(
    await chat.read(),
    /^# My draft\n\n?Words that were never saved\.\n\n+# User_.*The conversation of draft\.md.*A first answer\./s,
  );
  assert.equal(await editor.page.locator(".notifications-toasts .notification-list-item").count(), 0);
});

test("a capture onto the note that is open, and what follows without a pause", async () => {
  const chat = await talk("notes/again.md");
  await editor.call("open", chat.file);
  for (let round = 1; round <= 3; round++) {
    await chat.say(chat.user("::capture notes/again.md"), chat.assistant(`Said right after capture ${round}.`));
    await chat.say(chat.assistant(`And after that ${round}.`));
  }
  await until(async () => (await active()).text.includes("And after that 3."), "all in the editor");
  await agree(chat.file);
  const said = [...(await chat.read()).matchAll(/(right after capture|after that) (\d)/g)].map(([, , round]) => round);
  assert.deepEqual(said, ["1", "1", "2", "2", "3", "3"]);
  assert.equal(await editor.page.locator(".notifications-toasts .notification-list-item").count(), 0);
});

test("an export onto an unsaved note asks to save it first, and does both by a button", async () => {
  const chat = await talk("notes/exported.md");
  await remark(chat.file, "Mine.");
  await chat.say(chat.user("::export notes/exported.md"));
  const toast = editor.toast("not saved").first();
  await until(() => toast.isVisible(), "the notification");
  await editor.screenshot("34-unsaved");
  await toast.getByRole("button", { name: "Save and Retry" }).click();
  await until(() => editor.toast("kept a copy").first().isVisible(), "the notice of the copy");
  await editor.toast("kept a copy").first().getByRole("button", { name: "Open Backup" }).click();
  await until(
    async () => (await active()).path.includes("/backups/") && (await active()).text.includes("Mine."),
    "the user's words in the copy",
  );
});

test("a note that is renamed in the explorer takes its recording along", async () => {
  const chat = await talk("notes/sky.md");
  await rename(await explorer(chat.file), "heaven.md");
  const heaven = path.join(editor.workspace, "notes/heaven.md");
  await until(() => isThere(heaven), "the renamed note");
  await chat.say(chat.assistant("After the rename."));
  await until(async () => (await chat.read(heaven)).includes("After the rename."), "the message in the renamed note");
  assert.equal(await isThere(chat.file), false, "the old name stays free");
});

test("a note with unsaved changes that is renamed keeps them, and gets what follows", async () => {
  const chat = await talk("notes/unsaved-before.md");
  await remark(chat.file, "Not saved.");
  await chat.say(chat.assistant("Before the rename."));
  await until(async () => (await active()).text.includes("Before the rename."), "the message in the editor");
  await rename(await explorer(chat.file), "unsaved-after.md");
  const renamed = path.join(editor.workspace, "notes/unsaved-after.md");
  await until(
    async () => (await active())?.path === renamed && (await active()).text.includes("Not saved."),
    "the renamed note in the editor",
  );
  await chat.say(chat.assistant("After the rename."));
  await until(async () => (await active()).text.includes("After the rename."), "the message in the editor");
  await editor.page.locator(".editor-instance .view-lines").first().click();
  if ((await active()).isDirty) await save();
  await until(async () => (await chat.read(renamed)).includes("After the rename."), "all in the file");
  const text = await chat.read(renamed);
  for (const words of ["Not saved.", "Before the rename.", "After the rename."])
    assert.equal(text.split(words).length, 2, words);
  assert.equal(await isThere(chat.file), false);
});

test("a folder that is renamed in the explorer takes the recordings in it along", async () => {
  const chat = await talk("log/inner/talk.md");
  await rename(await explorer(path.join(editor.workspace, "log")), "journal");
  const moved = path.join(editor.workspace, "journal/inner/talk.md");
  await until(() => isThere(moved), "the renamed folder");
  await chat.say(chat.assistant("After the rename."));
  await until(async () => (await chat.read(moved)).includes("After the rename."), "the message in its note");
  assert.equal(await isThere(chat.file), false);
});

test("of a note that is deleted the user decides: Recreate writes it again, Stop ends the recording", async () => {
  const before = await recordings();
  const chat = await talk("notes/gone.md");
  for (const button of ["Recreate", "Stop Recording"]) {
    await (await explorer(chat.file)).click();
    await editor.page.keyboard.press("Delete");
    await until(async () => !(await isThere(chat.file)), "the deletion");
    const toast = editor.toast("recording to notes/gone.md").first();
    await until(() => toast.isVisible(), "the question");
    await editor.screenshot(`35-gone-${button === "Recreate" ? "recreate" : "stop"}`);
    await chat.say(chat.assistant(`Said before ${button}.`));
    assert.equal(await isThere(chat.file), false, "it is not written again unasked");
    await toast.getByRole("button", { name: button }).click();
    if (button === "Recreate")
      await until(async () => (await chat.read()).includes("Said before Recreate."), "the note again");
  }
  await until(async () => (await recordings()) === before, "the end of the recording");
  await chat.say(chat.assistant("Said at the end."));
  assert.equal(await isThere(chat.file), false);
});

test("a note without a path goes where the palette proposes it", async () => {
  const one = says("claude", "default-1");
  const { commands } = await editor.append("claude", "default-1", [
    one.user("Why is the sky blue?"),
    one.user("::capture"),
  ]);
  assert.equal(path.dirname(commands[0].outputPath), path.join(editor.workspace, "notes"));
  const two = says("claude", "default-2");
  await editor.append("claude", "default-2", [two.user("Why is grass green?")]);
  await editor.palette("Kato: Capture Conversation");
  await editor.picks.filter({ hasText: "Why is grass green?" }).click();
  const proposed = await until(async () => {
    const value = await editor.input.inputValue();
    return value.includes("why-is-grass-green") && value;
  }, "the proposal");
  await editor.page.keyboard.press("Escape");
  const answer = await editor.append("claude", "default-2", [two.user("::capture")]);
  assert.equal(
    answer.commands[0].outputPath,
    path.join(editor.workspace, proposed),
    "one folder and one name, in the chat and in the palette",
  );
});

test("the folder for notes is changed live, also by its old name", async () => {
  for (const [setting, value, folder] of [
    ["kato.notes.directory", "${workspaceFolder}/vault/ai", "vault/ai"],
    ["kato.captureDirectory", "old-notes", "old-notes"],
  ]) {
    await editor.setting(setting, value);
    const id = `directory-${folder}`;
    const one = says("claude", id);
    await until(async () => {
      const { commands } = await editor.append("claude", `${id}-${++number}`, [
        { ...one.user("::export x"), sessionId: `${id}-${number}` },
      ]);
      assert.equal(commands.length, 1);
      const captured = await editor.call("capture", { provider: "claude", sessionId: `${id}-${number}` });
      return path.dirname(captured.outputPath) === path.join(editor.workspace, folder);
    }, `notes in ${folder}`);
    await editor.setting(setting, undefined);
  }
});
