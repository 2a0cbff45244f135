// The first start on machines that lack something, and what the user is told.

import assert from "node:assert/strict";
import { promises as fs } from "node:fs";
import path from "node:path";
import { afterEach, test } from "node:test";
import { Editor, until } from "./harness.mjs";

let editor;
afterEach(() => editor?.end());

/** A PATH of one folder that holds these programs only. */
async function folderWith(programs) {
  const folder = await fs.mkdtemp(path.join(process.env.KATO_EDITOR, "path-"));
  for (const [name, script] of Object.entries(programs)) await fs.writeFile(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

test("without a Python that is new enough the user is told what was found, and can choose one", { timeout: 120_000 }, async () => {
  const folder = await folderWith({ python3: "echo 3.8.10; echo /usr/bin/python3" });
  editor = await Editor.start({ environment: { PATH: `${folder}:/nonexistent` } });
  await editor.open();
  const toast = editor.toast("Kato needs Python 3.10 or newer").first();
  await until(() => toast.isVisible(), "the notification", 60);
  assert.match(await toast.innerText(), /found only: python3 is 3\.8\.10/);
  for (const name of ["Choose Python…", "Retry", "Show Log"]) assert.ok(await toast.getByRole("button", { name }).isVisible(), name);
  assert.match(await editor.statusBar.innerText(), /Kato stopped/);
  await editor.screenshot("20-no-python");
  await fs.rm(folder, { recursive: true });
});

test("without a network the user is told so; Retry works once it is there", { timeout: 240_000 }, async () => {
  // pip asks an index that nobody answers, and finds nothing beside it.
  const config = path.join(process.env.KATO_EDITOR, "no-network.conf");
  await fs.writeFile(config, "[global]\nindex-url = http://127.0.0.1:9/simple\nextra-index-url =\nfind-links =\nretries = 0\n");
  editor = await Editor.start({ environment: { PIP_CONFIG_FILE: config, PIP_FIND_LINKS: "", PIP_RETRIES: "0" } });
  await editor.open();
  const toast = editor.toast("could not download").first();
  await until(() => toast.isVisible(), "the notification", 100);
  await editor.screenshot("21-no-network");
  const storage = path.join(editor.root, "user/User/globalStorage/kato.kato");
  assert.deepEqual((await fs.readdir(storage)).filter((name) => name !== "logs"), [], "nothing half-made is left");
  await fs.writeFile(config, "");
  await toast.getByRole("button", { name: "Retry" }).click();
  await until(async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText()), "the server after all", 150);
});
