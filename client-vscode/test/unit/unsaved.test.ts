import assert from "node:assert/strict";
import { test } from "node:test";
import { UnsavedState } from "../../src/unsavedState";

/** A document as an extension sees it, and its file. */
class Note {
  text = "saved";
  file = "saved";
  version = 1;
  isDirty = false;
  readonly reported: boolean[] = [];
  readonly state = new UnsavedState<Note>(
    async ({ text, file }) => text === file,
    () => this.reported.push(this.isUnsaved),
  );

  get isUnsaved(): boolean {
    return this.state.has(this);
  }

  async type(text: string): Promise<void> {
    this.text += text;
    this.version++;
    this.isDirty = true;
    await this.state.changes(this);
  }

  /** VS Code reports a document as clean after each save, also when the user typed meanwhile. */
  async save(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    this.state.saveBegins(this);
    const written = this.text;
    await meanwhile();
    this.file = written;
    this.isDirty = false;
    await this.state.changes(this);
    await this.state.saveEnds(this);
  }
}

test("a note that is typed in is unsaved, and saved after a save", async () => {
  const note = new Note();
  await note.type("!");
  assert.equal(note.isUnsaved, true);
  await note.save();
  assert.equal(note.isUnsaved, false);
  assert.deepEqual(note.reported, [true, false, false]);
});

test("a note that is typed in during a save stays unsaved, although VS Code reports it as clean", async () => {
  const note = new Note();
  await note.type("!");
  await note.save(() => note.type("?"));
  assert.deepEqual([note.isDirty, note.isUnsaved], [false, true]);
  assert.ok(!note.reported.includes(false), "it is never reported as saved");
  await note.save();
  assert.equal(note.isUnsaved, false);
});

test("a note that a formatter changes during a save is saved", async () => {
  const note = new Note();
  await note.type("!");
  note.state.saveBegins(note);
  await note.type(" formatted");
  [note.file, note.isDirty] = [note.text, false];
  await note.state.changes(note);
  await note.state.saveEnds(note);
  assert.equal(note.isUnsaved, false);
});

test("a note whose save failed is saved once it is reverted", async () => {
  const note = new Note();
  await note.type("!");
  note.state.saveBegins(note);
  await note.type("?");
  [note.text, note.isDirty] = [note.file, false];
  await note.state.changes(note);
  assert.equal(note.isUnsaved, false);
});
