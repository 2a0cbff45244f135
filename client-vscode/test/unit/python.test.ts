// Which Python is chosen. Each is a script that answers as a Python does.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { findPython, type FoundPython } from "../../src/python";
import { parseVersion } from "../../src/resolve";

let root: string;
const kept = process.env.PATH;
const never = new AbortController().signal;

before(() => {
  root = mkdtempSync(path.join(tmpdir(), "kato-python-"));
});
after(() => {
  process.env.PATH = kept;
  rmSync(root, { recursive: true });
});

/** A program that answers as a Python of this version, or fails. */
function program(folder: string, name: string, version: string): string {
  const file = path.join(folder, name);
  const answer = version === "" ? "exit 127" : `echo "${version} cpython"; echo "/real/${name}-${version}"`;
  writeFileSync(file, `#!/bin/sh\n${answer}\n`, { mode: 0o755 });
  return file;
}

async function choice(
  onPath: Record<string, string>,
  more: { setting?: string; ofEditor?: string } = {},
): Promise<string> {
  const folder = path.join(root, String(Math.random()));
  mkdirSync(folder);
  for (const [name, version] of Object.entries(onPath)) {
    program(folder, name, version);
  }
  process.env.PATH = `${folder}:/nonexistent`;
  const chosen = more.setting === undefined ? "" : program(folder, "chosen", more.setting);
  const ofEditor = more.ofEditor === undefined ? undefined : program(folder, "editor", more.ofEditor);
  const place = { platform: "linux", python: chosen, pythonOfEditor: async () => ofEditor };
  // The extension has packages up to 3.14.
  const found: FoundPython = await findPython(
    place,
    ({ version }) => (parseVersion(version)?.minor ?? 99) <= 14,
    never,
  );
  return "python" in found ? found.python.executable : found.found.replaceAll(`${folder}/`, "");
}

for (const [title, onPath, more, chosen] of [
  ["the first on the PATH", { python3: "3.12.1", "python3.13": "3.13.0" }, {}, "/real/python3-3.12.1"],
  [
    "the Python extension's before those on the PATH",
    { python3: "3.12.1" },
    { ofEditor: "3.11.0" },
    "/real/editor-3.11.0",
  ],
  [
    "one with packages before a newer one without",
    { python3: "3.15.0", "python3.13": "3.13.0" },
    {},
    "/real/python3.13-3.13.0",
  ],
  ["one without packages if there is no other", { python3: "3.15.0", python: "3.8.1" }, {}, "/real/python3-3.15.0"],
  [
    "one that is new enough after one that is too old",
    { python3: "3.9.1", "python3.10": "3.10.2" },
    {},
    "/real/python3.10-3.10.2",
  ],
  [
    "one that runs after a launcher without a Python",
    { python3: "", "python3.11": "3.11.2" },
    {},
    "/real/python3.11-3.11.2",
  ],
  ["only the setting's", { python3: "3.12.1" }, { setting: "3.15.0" }, "/real/chosen-3.15.0"],
  [
    "none but too old ones",
    { python3: "3.8.10", python: "2.7.18" },
    {},
    "found only: python3 is 3.8.10, python is 2.7.18",
  ],
  ["none at all", {}, {}, "none was found on the PATH"],
  [
    "none, because the setting's does not run",
    { python3: "3.12.1" },
    { setting: "" },
    "kato.server.python (chosen) does not run",
  ],
] as const) {
  test(`the chosen Python is ${title}`, async () => {
    assert.equal(await choice(onPath, more), chosen);
  });
}
