// The first start on machines that lack something or have something of their own, and what the user is shown.

import assert from "node:assert/strict";
import { promises as fs, readdirSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, test } from "node:test";
import { Editor, folderWith, pathWithKato, says, until } from "./harness.mjs";

let editor;
afterEach(() => editor?.end());

const figures = async () => /\d+ \/ 200 MB/.test(await editor.statusBar.innerText());

/** Programs that run from the extension's storage: installers and servers. */
function ofStorage() {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(editor.storage);
    } catch {
      return false;
    }
  });
}

test(
  "without a Python that is new enough the user sees which Python was found, and can choose one",
  { timeout: 120_000 },
  async () => {
    const folder = await folderWith({ python3: "echo 3.8.10; echo /usr/bin/python3" });
    editor = await Editor.start({ environment: { PATH: `${folder}:/nonexistent` } });
    await editor.open();
    const toast = editor.toast("Kato needs Python 3.10 or newer").first();
    await until(() => toast.isVisible(), "the notification", 60);
    assert.match(await toast.innerText(), /found only: python3 is 3\.8\.10/);
    for (const name of ["Choose Python…", "Retry", "Show Log"])
      assert.ok(await toast.getByRole("button", { name }).isVisible(), name);
    await until(
      async () => /Kato stopped/.test(await editor.statusBar.innerText()),
      "the stopped server in the status bar",
    );
    await editor.screenshot("20-no-python");
  },
);

/** No process answers at these addresses, and the installers have no other source. */
const noNetwork = {
  ...Object.fromEntries(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map((name) => [name, "http://127.0.0.1:9"])),
  PIP_INDEX_URL: "http://127.0.0.1:9/simple",
  PIP_FIND_LINKS: "",
  PIP_RETRIES: "0",
  UV_INDEX_URL: "http://127.0.0.1:9/simple",
  UV_HTTP_RETRIES: "0",
};

test(
  "without a network the server is installed from the packages in the extension, within 15 seconds",
  { timeout: 120_000 },
  async () => {
    editor = await Editor.start({ environment: noNetwork });
    await editor.open();
    await until(figures, "the server", 60);
    const { birthtimeMs } = await fs.stat(editor.storage); // it is made when the server is first searched for
    const seconds = (Date.now() - birthtimeMs) / 1000;
    await editor.screenshot("23-offline");
    const [environment, ...others] = await editor.stored();
    assert.match(environment, /^server-[\d.]+-[0-9a-f]{8}$/);
    assert.deepEqual(others, []);
    console.log(`first start without a network: ${seconds.toFixed(1)} s`);
    const busy = Math.max(1, os.loadavg()[0] / os.availableParallelism()); // with the work of others
    assert.ok(seconds < 15 * busy, `${seconds} s`);
    await editor.append("claude", "s", [says("claude", "s").user("Hello\n::capture notes/offline.md")]);
    const note = path.join(editor.workspace, "notes/offline.md");
    await until(async () => (await fs.readFile(note, "utf8")).includes("Hello"), "the note");
  },
);

test(
  "the universal extension without a network: the user is notified; Retry works once it is there; an environment that breaks later is replaced",
  { timeout: 240_000 },
  async () => {
    // No process answers at the index that pip uses, and pip has no other source.
    const config = path.join(process.env.KATO_EDITOR, "no-network.conf");
    await fs.writeFile(
      config,
      "[global]\nindex-url = http://127.0.0.1:9/simple\nextra-index-url =\nfind-links =\nretries = 0\n",
    );
    editor = await Editor.start({ environment: { PIP_CONFIG_FILE: config, PIP_FIND_LINKS: "", PIP_RETRIES: "0" } });
    await editor.removePackages();
    await editor.open();
    const toast = editor.toast("could not download").first();
    await until(() => toast.isVisible(), "the notification", 100);
    assert.match(await toast.innerText(), /install the extension's VSIX for your platform/);
    await editor.screenshot("21-no-network");
    assert.deepEqual(await editor.stored(), [], "nothing half-made is left");
    await fs.writeFile(config, "");
    await toast.getByRole("button", { name: "Retry" }).click();
    await until(figures, "the server after all", 150);

    // As when the system's Python was replaced: the interpreter starts, and finds nothing of what was installed.
    const [environment] = await editor.stored();
    const library = path.join(editor.storage, environment, "lib");
    const [python] = await fs.readdir(library);
    await fs.rename(path.join(library, python), path.join(library, "python2.5"));
    const [pid] = editor.servers();
    process.kill(pid, "SIGKILL");
    await until(
      async () => editor.servers().some((one) => one !== pid) && (await figures()),
      "a server from an environment that was made again",
      100,
    );
  },
);

test(
  "a window that is closed while it installs leaves nothing behind, and the next one does not wait for it",
  { timeout: 240_000 },
  async () => {
    editor = await Editor.start();
    await editor.removePackages();
    await editor.open();
    await until(() => editor.toast("downloading").first().isVisible(), "the download", 60);
    assert.ok(ofStorage().length > 0, "an installer runs");
    await editor.close();
    await until(() => ofStorage().length === 0, "the end of the installer", 20);
    await until(async () => (await editor.stored()).length === 0, "the end of what it made", 20);
    await editor.open();
    await until(figures, "the server in the next window", 100);
  },
);

test("a kato on the PATH is used, and nothing is installed beside it", { timeout: 120_000 }, async () => {
  editor = await Editor.start({ environment: { PATH: await pathWithKato() } });
  await editor.open();
  await until(figures, "figures in the status bar", 60);
  assert.equal(editor.servers().length, 1);
  assert.deepEqual(await editor.stored(), []);
});

/** A plugin that Kato refuses, in a package that takes 120 MB. */
const largePlugin = {
  "plugins/large.py": "HELD = bytes(range(256)) * (120 * 4096)\nassistant = None\n",
  "plugins/large-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: large\nVersion: 1.0\n",
  "plugins/large-1.0.dist-info/entry_points.txt": "[kato.assistants]\nlarge = large:assistant\n",
};

test(
  "a process that takes more than its limit and still runs is amber, and a raised limit cures it",
  { timeout: 120_000 },
  async () => {
    editor = await Editor.start({
      environment: { PATH: await pathWithKato('PYTHONPATH="$KATO_STATE_DIR/../plugins"') },
      files: largePlugin,
      settings: { "kato.daemonMaxMemoryMb": 150 },
    });
    await editor.open();
    const bar = () => editor.statusBar.innerText();
    const [, taken] = await until(
      async () => /Kato (\d+) \/ 150 MB, over its limit/.exec(await bar()),
      "the words in the status bar",
      60,
    );
    assert.ok(Number(taken) > 150, `${taken} MB`);
    assert.match(await editor.statusBar.getAttribute("class"), /warning-kind/);
    const { memory } = await editor.statusFile();
    assert.ok(memory.process.rss > memory.daemonMaxMemoryBytes && memory.wholeProcess, "by the server's own figures");
    const answer = await editor.append("claude", "s", [says("claude", "s").user("Hello\n::capture notes/over.md")]);
    assert.deepEqual(
      answer.commands.map(({ status }) => status),
      ["ok"],
      "it works as before",
    );
    await editor.clearToasts();
    await editor.screenshot("24-over-limit");
    await editor.statusBar.hover();
    const hover = editor.page.locator(".monaco-hover:visible");
    await until(async () => /takes more memory than its limit/.test(await hover.innerText()), "the tooltip");
    await editor.screenshot("24b-over-limit-tooltip");
    await hover.getByRole("link", { name: "Raise Memory Limit…" }).click();
    await until(async () => (await editor.input.inputValue()) === "300", "the proposal");
    await editor.page.keyboard.press("Enter");
    await until(async () => /Kato \d+ \/ 300 MB(?!, over)/.test(await bar()), "the new limit");
    assert.doesNotMatch(await editor.statusBar.getAttribute("class"), /(warning|error)-kind/);
  },
);

test(
  "a setting that is wrong from the start is named, nothing restarts by itself, and the right one starts the server",
  { timeout: 120_000 },
  async () => {
    editor = await Editor.start({
      environment: { PATH: await pathWithKato() },
      settings: { "kato.markdown.timezone": "Mars/Olympus" },
    });
    await editor.open();
    const toast = editor.toast("does not start").first();
    await until(() => toast.isVisible(), "the notification", 60);
    assert.match(
      await toast.innerText(),
      /markdown\.timezone must be an IANA time zone such as Europe\/Berlin; got "Mars\/Olympus"/,
    );
    assert.ok(await toast.getByRole("button", { name: "Open Settings" }).isVisible());
    await until(
      async () => /Kato stopped/.test(await editor.statusBar.innerText()),
      "the stopped server in the status bar",
    );
    await until(() => editor.servers().length === 0, "its end");
    assert.equal(await editor.toast("does not start").count(), 1, "it is shown once");
    await editor.screenshot("22-wrong-setting");
    await editor.setting("kato.markdown.timezone", "Europe/Berlin");
    await until(figures, "the server", 60);
  },
);

test("a workspace that is not trusted changes how a note reads, and nothing else", { timeout: 120_000 }, async () => {
  const settings = {
    "kato.allowedWriteRoots": ["/"],
    "kato.notes.directory": "/evil",
    "kato.captureDirectory": "/evil",
    "kato.journal": false,
    "kato.maxSessions": 1,
    "kato.daemonMaxMemoryMb": 1,
    "kato.heartbeatSeconds": 86400,
    "kato.logLevel": "error",
    "kato.markdown.timezone": "Mars/Olympus",
    "kato.markdown.includeThinking": true,
  };
  editor = await Editor.start({
    environment: { PATH: await pathWithKato() },
    files: { "my-project/.vscode/settings.json": JSON.stringify(settings) },
    isTrusted: false,
  });
  await editor.open();
  await until(figures, "figures in the status bar: neither the time zone nor the limit stop the server", 60);
  assert.equal(await editor.call("isTrusted"), false);
  assert.deepEqual(await editor.call("get", "kato.allowedWriteRoots"), []);
  assert.equal(await editor.call("get", "kato.notes.directory"), "${workspaceFolder}/notes");
  assert.equal(await editor.call("get", "kato.markdown.includeThinking"), true, "the others count");
  await editor.append("claude", "s", [says("claude", "s").user("Hello")]);
  assert.notEqual((await editor.call("memory")).journal, null, "the journal is on");
  const outside = await editor.call("capture", {
    provider: "claude",
    sessionId: "s",
    path: path.join(editor.root, "outside.md"),
  });
  assert.deepEqual([outside.status, outside.error.code], ["error", -32012]);
  const captured = await editor.call("capture", { provider: "claude", sessionId: "s" });
  assert.equal(path.dirname(captured.outputPath), path.join(editor.workspace, "notes"));
});
