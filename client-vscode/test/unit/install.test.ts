// How a server is found, and what is reported if none is. The tests in a real editor make private environments: pip is slow.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { findServer, SetupError, type Place, type Progress } from "../../src/install";

const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
let root: string;
const kept = { ...process.env };

before(() => {
  root = mkdtempSync(path.join(tmpdir(), "kato-install-"));
  mkdirSync(path.join(root, "wheels"));
  writeFileSync(path.join(root, "wheels", "kato_lsp-0.1.0-py3-none-any.whl"), "");
});
beforeEach(() => {
  process.env.PATH = "/nonexistent";
});
after(() => {
  process.env = kept;
  rmSync(root, { recursive: true });
});

function place(more: Partial<Place> = {}): Place {
  return {
    storage: path.join(root, "storage"),
    wheels: path.join(root, "wheels"),
    version: "0.1.0",
    platform: "linux",
    command: [],
    python: PYTHON,
    pythonOfEditor: async () => undefined,
    isDoubtful: false,
    log: () => undefined,
    ...more,
  };
}

const none = async (): Promise<void> => assert.fail("nothing has to be installed");
const installing = (work: (progress: Progress) => Promise<void>): Promise<void> =>
  work({ report: () => undefined, signal: new AbortController().signal });

/** A folder for the PATH with a `kato` that prints this. */
function pathWith(answer: string): string {
  const folder = mkdtempSync(path.join(root, "path-"));
  writeFileSync(path.join(folder, "kato"), `#!/bin/sh\necho "${answer}"\n`, { mode: 0o755 });
  return folder;
}

test("the setting names the server, before all else; a program without arguments gets the argument serve", async () => {
  process.env.PATH = pathWith("kato 0.1.0");
  assert.deepEqual(await findServer(place({ command: ["/opt/kato"] }), none), ["/opt/kato", "serve"]);
  assert.deepEqual(await findServer(place({ command: ["uv", "run", "kato", "serve"] }), none), [
    "uv",
    "run",
    "kato",
    "serve",
  ]);
});

test("a kato on the PATH of a compatible version is used", async () => {
  process.env.PATH = pathWith("kato 0.1.4");
  assert.deepEqual(await findServer(place(), none), ["kato", "serve"]);
});

test("a kato on the PATH that is too old is not used, which is logged", async () => {
  process.env.PATH = pathWith("kato 0.0.9");
  const logged: string[] = [];
  const asked = findServer(place({ log: (line) => logged.push(line) }), async () =>
    Promise.reject(new Error("an environment is made")),
  );
  await assert.rejects(asked, /an environment is made/);
  assert.match(logged.join("\n"), /kato 0\.0\.9, which is not compatible with 0\.1\.0/);
});

test("an installation that is cancelled reports it and leaves no files", async () => {
  const storage = path.join(root, "cancelled");
  const abort = new AbortController();
  const work = findServer(place({ storage }), (one) =>
    one({
      signal: abort.signal,
      report: (message) => message.startsWith("making") && abort.abort(new Error("cancelled")),
    }),
  );
  await assert.rejects(work, (error) => error instanceof SetupError && error.message.includes("cancelled"));
  assert.deepEqual(readdirSync(storage), []);
});

test("a Python of the setting that does not run is reported by its name", async () => {
  const cure = async (python: string): Promise<SetupError> =>
    findServer(place({ python, storage: path.join(root, "none") }), installing).then(
      () => assert.fail(),
      (error: unknown) => error as SetupError,
    );
  const missing = await cure("/nonexistent/python");
  assert.equal(missing.cure, "python");
  assert.match(missing.message, /kato\.server\.python \(\/nonexistent\/python\) does not run/);
  assert.ok(!existsSync(path.join(root, "none", "installing")));
});

test("the Python extension's interpreter comes before those on the PATH", async () => {
  const old = path.join(mkdtempSync(path.join(root, "old-")), "python");
  writeFileSync(old, "#!/bin/sh\necho 3.9.1\necho /usr/bin/python3.9\n", { mode: 0o755 });
  const asked = findServer(
    place({ python: "", pythonOfEditor: async () => old, storage: path.join(root, "none") }),
    installing,
  );
  await assert.rejects(asked, new RegExp(`found only: ${old} is 3\\.9\\.1`));
});
