import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { change, chosen, rootsWith, serverKeys } from "../../src/settings";

const DEFAULTS = { daemonMaxMemoryMb: 200, journal: true, stateDir: "", allowedWriteRoots: [] };

test("only what the user set is sent, the workspace's word before the user's", () => {
  const inspected = { maxSessions: { defaultValue: 200 }, daemonMaxMemoryMb: { defaultValue: 200, globalValue: 300, workspaceValue: 400 }, logLevel: { globalValue: "debug" } };
  assert.deepEqual(chosen(Object.keys(inspected), (key) => inspected[key as keyof typeof inspected]), { daemonMaxMemoryMb: 400, logLevel: "debug" });
});

test("empty texts, lists and maps mean that nothing was set; an empty list inside a map switches an assistant off", () => {
  const values: Record<string, unknown> = { stateDir: "", allowedWriteRoots: [], providerSessionRoots: { codex: [] }, journal: false };
  assert.deepEqual(chosen(Object.keys(values), (key) => ({ globalValue: values[key] })), { providerSessionRoots: { codex: [] }, journal: false });
});

test("a setting that was taken back is sent with its default", () => {
  assert.deepEqual(change({ daemonMaxMemoryMb: 300 }, {}, DEFAULTS), { settings: { daemonMaxMemoryMb: 200 }, restart: false });
});

test("a setting without a default that can be sent needs a new start to be taken back", () => {
  assert.equal(change({ allowedWriteRoots: ["/a"] }, {}, DEFAULTS).restart, true);
  assert.equal(change({ allowedWriteRoots: ["/a"] }, { allowedWriteRoots: ["/b"] }, DEFAULTS).restart, false);
});

test("the journal and its place count at the start only", () => {
  assert.equal(change({}, { journal: false }, DEFAULTS).restart, true);
  assert.equal(change({}, { stateDir: "/x" }, DEFAULTS).restart, true);
});

test("allowing a folder keeps what was allowed before", () => {
  assert.deepEqual(rootsWith("/vault", undefined, ["/work"], "/state/recordings"), ["/work", "/state/recordings", "/vault"]);
  assert.deepEqual(rootsWith("/vault", ["/notes"], ["/work"], "/state/recordings"), ["/notes", "/vault"]);
  assert.deepEqual(rootsWith("/notes", ["/notes"], ["/work"], undefined), ["/notes"]);
});

test("the extension contributes every setting of the server, with its default", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { contributes: { configuration: { properties: Record<string, { default: unknown }> } } };
  const { properties } = manifest.contributes.configuration;
  const source = readFileSync("../server/kato/settings.py", "utf8");
  const table = source.slice(source.indexOf("TABLE: Final"), source.indexOf("_BY_NAME: Final"));
  const names = [...table.matchAll(/Key\(\s*"([\w.]+)"/g)].map((match) => match[1] ?? "");
  assert.ok(names.length > 15);
  assert.deepEqual(serverKeys(Object.keys(properties)).sort(), names.sort());
});
