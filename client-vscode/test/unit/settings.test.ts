import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { change, chosen, forUsers, isLimit, notesDirectory, renamed, serverKeys } from "../../src/settings";

const DEFAULTS = { daemonMaxMemoryMb: 200, journal: true, stateDir: "", allowedWriteRoots: [] };

test("only what the user set is sent, the workspace's word before the user's", () => {
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

test("empty texts, lists and maps mean that nothing was set; an empty list inside a map switches an assistant off", () => {
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

test("a setting that was taken back is sent with its default", () => {
  assert.deepEqual(change({ daemonMaxMemoryMb: 300 }, {}, DEFAULTS), {
    settings: { daemonMaxMemoryMb: 200 },
    restart: false,
  });
});

test("a setting without a default that can be sent needs a new start to be taken back", () => {
  assert.equal(change({ allowedWriteRoots: ["/a"] }, {}, DEFAULTS).restart, true);
  assert.equal(change({ allowedWriteRoots: ["/a"] }, { allowedWriteRoots: ["/b"] }, DEFAULTS).restart, false);
});

test("of keys that count at the start only the server tells: it is not said twice", () => {
  assert.equal(change({}, { journal: false, stateDir: "/x" }, DEFAULTS).restart, false);
  assert.deepEqual(change({ journal: false }, {}, DEFAULTS), { settings: { journal: true }, restart: false });
});

test("a limit is a whole number in the range of the setting", () => {
  assert.deepEqual(["1", " 300 ", "1000000"].map(isLimit), [true, true, true]);
  assert.deepEqual(["0", "-1", "1.5", "1000001", "9999999", "", "2e3"].map(isLimit), [
    false,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test("what the server says of a wrong setting is told in the words of a user's editor", () => {
  assert.equal(
    forUsers("Kato keeps its settings: maxSessions (initializationOptions): must be a positive integer; got 0"),
    "Kato keeps its settings: maxSessions must be a positive integer; got 0",
  );
  assert.equal(
    forUsers("maxSessions (KATO_MAX): must be a positive integer; got 0"),
    "maxSessions (KATO_MAX): must be a positive integer; got 0",
  );
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

test("the old name of notes.directory counts only where the new one is not set", () => {
  assert.deepEqual(renamed({ "notes.directory": "/new" }, { workspaceValue: "/old" }), { "notes.directory": "/new" });
  assert.deepEqual(renamed({}, { workspaceValue: "/project", globalValue: "/user" }), {
    "notes.directory": "/project",
  });
  assert.deepEqual(renamed({}, {}), {});
});

/** What a workspace that is not trusted may set: these change how a note reads, and nothing else. */
const HARMLESS = [
  "kato.markdown.includeFrontmatter",
  "kato.markdown.includeCommentary",
  "kato.markdown.includeBoundaries",
  "kato.markdown.includeThinking",
  "kato.markdown.includeToolCalls",
  "kato.markdown.includeSystemEvents",
  "kato.markdown.includeSubAgents",
  "kato.markdown.italicizeUserMessages",
];

test("a workspace that is not trusted sets what was found harmless, and nothing else", () => {
  const { capabilities, contributes } = JSON.parse(readFileSync("package.json", "utf8")) as {
    capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
    contributes: { configuration: { properties: Record<string, unknown> } };
  };
  const restricted = capabilities.untrustedWorkspaces.restrictedConfigurations;
  assert.deepEqual([...restricted, ...HARMLESS].sort(), Object.keys(contributes.configuration.properties).sort());
});

test("the extension contributes every setting of the server, with its default", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    contributes: { configuration: { properties: Record<string, { default: unknown }> } };
  };
  const { properties } = manifest.contributes.configuration;
  const source = readFileSync("../server/kato/core/settings.py", "utf8");
  const table = source.slice(source.indexOf("TABLE: Final"), source.indexOf("_BY_NAME: Final"));
  const names = [...table.matchAll(/Key\(\s*"([\w.]+)"/g)].map((match) => match[1] ?? "");
  assert.ok(names.length > 15);
  assert.deepEqual(serverKeys(Object.keys(properties)).sort(), names.sort());
});

test("every setting has a description, a scope, and its type's bounds", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    contributes: { configuration: { properties: Record<string, Record<string, unknown>> } };
  };
  for (const [name, setting] of Object.entries(manifest.contributes.configuration.properties)) {
    assert.ok(setting.description ?? setting.markdownDescription, `${name} is described`);
    assert.ok(setting.scope, `${name} has a scope`);
    if (setting.type === "integer" || setting.type === "number") {
      assert.ok("minimum" in setting || "exclusiveMinimum" in setting, `${name} has a least value`);
      assert.ok("maximum" in setting, `${name} has a greatest value`);
    }
  }
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
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
      contributes: { configuration: { properties: Record<string, { pattern: string }> } };
    };
    assert.equal(
      new RegExp(manifest.contributes.configuration.properties["kato.notes.directory"]?.pattern ?? assert.fail()).test(
        text,
      ),
      fits,
    );
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
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
      contributes: { configuration: { properties: Record<string, { pattern: string }> } };
    };
    assert.equal(
      new RegExp(manifest.contributes.configuration.properties["kato.stateDir"]?.pattern ?? assert.fail()).test(text),
      fits,
    );
  });
}
