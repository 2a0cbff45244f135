import assert from "node:assert/strict";
import { test } from "node:test";
import { change, chosen, isWithin, notesDirectory, rejection, renamed } from "../../src/settings";
import { manifest, properties } from "./manifest";

const DEFAULTS = { daemonMaxMemoryMb: 200, journal: true, stateDir: "", allowedWriteRoots: [] };

test("only settings that the user set are sent; the workspace's override the user's", () => {
  const inspected = {
    maxSessions: { defaultValue: 200 },
    daemonMaxMemoryMb: { defaultValue: 200, globalValue: 300, workspaceValue: 400 },
    logLevel: { globalValue: "debug" },
  };
  assert.deepEqual(
    chosen(Object.keys(inspected), (key) => inspected[key as keyof typeof inspected]),
    { daemonMaxMemoryMb: 400, logLevel: "debug" },
  );
});

test("an empty text, list or object means that nothing was set; an empty list in an object switches an assistant off", () => {
  const values: Record<string, unknown> = {
    stateDir: "",
    allowedWriteRoots: [],
    providerSessionRoots: { codex: [] },
    journal: false,
  };
  assert.deepEqual(
    chosen(Object.keys(values), (key) => ({ globalValue: values[key] })),
    { providerSessionRoots: { codex: [] }, journal: false },
  );
});

test("a setting that was removed is sent with its default", () => {
  assert.deepEqual(change({ daemonMaxMemoryMb: 300 }, {}, DEFAULTS), {
    settings: { daemonMaxMemoryMb: 200 },
    restart: false,
  });
});

test("the removal of a setting without a default that can be sent needs a restart", () => {
  assert.equal(change({ allowedWriteRoots: ["/a"] }, {}, DEFAULTS).restart, true);
  assert.equal(change({ allowedWriteRoots: ["/a"] }, { allowedWriteRoots: ["/b"] }, DEFAULTS).restart, false);
});

test("the client does not ask for a restart that the server asks for itself", () => {
  assert.equal(change({}, { journal: false, stateDir: "/x" }, DEFAULTS).restart, false);
  assert.deepEqual(change({ journal: false }, {}, DEFAULTS), { settings: { journal: true }, restart: false });
});

test("a limit is a whole number within the bounds of the setting", () => {
  const fits = (text: string): boolean => isWithin(text, { minimum: 1, maximum: 1_000_000 });
  for (const text of ["1", " 300 ", "1000000"]) {
    assert.ok(fits(text), text);
  }
  for (const text of ["0", "-1", "1.5", "1000001", "9999999", "", "2e3", "9".repeat(400)]) {
    assert.ok(!fits(text), text);
  }
});

test("a rejected setting is described with its rule and its value", () => {
  const fault = { key: "markdown.timezone", rule: "must be an IANA time zone", got: "Mars/Olympus" };
  assert.equal(rejection(fault), 'kato.markdown.timezone must be an IANA time zone; got "Mars/Olympus"');
  assert.match(rejection({ ...fault, got: undefined }), /got nothing$/);
});

test("folders that the user allowed stay allowed in a workspace that allows others", () => {
  const inspected = { globalValue: ["/vault"], workspaceValue: ["/shared"] };
  assert.deepEqual(
    chosen(["allowedWriteRoots"], () => inspected),
    { allowedWriteRoots: ["/shared", "/vault"] },
  );
  assert.deepEqual(
    chosen(["allowedWriteRoots"], () => ({ globalValue: ["/vault"] })),
    { allowedWriteRoots: ["/vault"] },
  );
  assert.deepEqual(
    chosen(["allowedWriteRoots"], () => ({})),
    {},
  );
});

for (const [old, now] of [
  ["${workspaceFolder}/log", "${workspaceFolder}/log"],
  ["${workspaceFolder}", "${workspaceFolder}"],
  ["~/vault", "~/vault"],
  ["~", "~"],
  ["/vault", "/vault"],
  ["C:\\vault", "C:\\vault"],
  ["notes", "${workspaceFolder}/notes"],
  ["~other", "${workspaceFolder}/~other"],
  [" ", "${workspaceFolder}"],
] as const) {
  test(`captureDirectory ${JSON.stringify(old)} is notes.directory ${JSON.stringify(now)}`, () => {
    assert.equal(notesDirectory(old), now);
    assert.deepEqual(renamed({ journal: false }, { globalValue: old }), { journal: false, "notes.directory": now });
  });
}

test("the earlier name of notes.directory applies only if the new one is not set", () => {
  assert.deepEqual(renamed({ "notes.directory": "/new" }, { workspaceValue: "/old" }), { "notes.directory": "/new" });
  assert.deepEqual(renamed({}, { workspaceValue: "/project", globalValue: "/user" }), {
    "notes.directory": "/project",
  });
  assert.deepEqual(renamed({}, {}), {});
});

/** The settings that a workspace which is not trusted may set: they only change how a note looks. */
const HARMLESS = [
  "kato.markdown.includeFrontmatter",
  "kato.markdown.includeCommentary",
  "kato.markdown.includeBoundaries",
  "kato.markdown.includeThinking",
  "kato.markdown.includeToolCalls",
  "kato.markdown.toolCalls",
  "kato.markdown.toolLines",
  "kato.markdown.headingStyle",
  "kato.markdown.frontmatterFields",
  "kato.markdown.includeSystemEvents",
  "kato.markdown.includeSubAgents",
  "kato.markdown.italicizeUserMessages",
];

test("a workspace that is not trusted sets harmless settings only", () => {
  const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
  assert.deepEqual([...restricted, ...HARMLESS].sort(), Object.keys(properties).sort());
});

for (const [text, fits] of [
  ["${workspaceFolder}", true],
  ["${workspaceFolder}/notes", true],
  ["~/vault", true],
  ["/vault", true],
  ["C:\\vault", true],
  ["", false],
  ["notes", false],
  ["${workspaceFolder}notes", false],
  ["x/${workspaceFolder}", false],
] as const) {
  test(`the settings editor ${fits ? "takes" : "refuses"} ${JSON.stringify(text)} as the folder for notes`, () => {
    assert.equal(new RegExp(properties["kato.notes.directory"]?.pattern ?? assert.fail()).test(text), fits);
  });
}

for (const [text, fits] of [
  ["", true],
  ["/notes", true],
  ["~", true],
  ["~/notes", true],
  ["C:\\notes", true],
  ["\\\\host\\notes", true],
  ["notes", false],
  ["./notes", false],
  ["~other/notes", false],
] as const) {
  test(`the settings editor ${fits ? "takes" : "refuses"} ${JSON.stringify(text)} as a folder`, () => {
    assert.equal(new RegExp(properties["kato.stateDir"]?.pattern ?? assert.fail()).test(text), fits);
  });
}

test("a folder can be set for any assistant, also for one that another package adds", () => {
  const roots = properties["kato.providerSessionRoots"];
  const [pattern] = Object.keys(roots?.patternProperties ?? {});
  assert.ok(pattern !== undefined);
  const names = ["claude", "my-own_2", "", "Claude", "a/b"];
  assert.deepEqual(
    names.map((name) => new RegExp(pattern).test(name)),
    [true, true, false, false, false],
  );
});
