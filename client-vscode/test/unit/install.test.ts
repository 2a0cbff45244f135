// How a server is found, and what is reported if none is. The tests in a real editor make private environments: pip is slow.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { findServer, type Place, type Progress } from "../../src/install";
import { SetupError } from "../../src/setupError";

const PYTHON = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
let root: string;
const kept = { ...process.env };

before(() => {
  root = mkdtempSync(path.join(tmpdir(), "kato-install-"));
  bundle("bundle");
});
beforeEach(() => {
  process.env.PATH = "/nonexistent";
});
after(() => {
  process.env = kept;
  rmSync(root, { recursive: true });
});

/** A folder as the extension contains it, with packages for Python 3.11. */
function bundle(name: string, lock = "attrs==26.1.0 --hash=sha256:1\n"): string {
  const folder = path.join(root, name);
  mkdirSync(path.join(folder, "wheels"), { recursive: true });
  for (const wheel of ["kato_lsp-0.1.0-py3-none-any.whl", "pip-26.3-py3-none-any.whl"]) {
    writeFileSync(path.join(folder, wheel), "");
  }
  for (const file of ["requirements.txt", "wheels/requirements.txt"]) {
    writeFileSync(path.join(folder, file), lock);
  }
  writeFileSync(path.join(folder, "bundle.json"), JSON.stringify({ platform: "linux-x64", pythons: ["3.10", "3.11"] }));
  return folder;
}

function place(more: Partial<Place> = {}): Place {
  return {
    storage: path.join(root, "storage"),
    bundle: path.join(root, "bundle"),
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

/** A Python that makes environments in which this script is the Python. */
function pythonThat(inside: string): string {
  const python = path.join(mkdtempSync(path.join(root, "python-")), "python3");
  const make = `for last; do :; done; mkdir -p "$last/bin"; printf '%s' '${inside}' > "$last/bin/python"; chmod +x "$last/bin/python"`;
  const script = `#!/bin/sh\nPATH=/usr/bin:/bin\ncase "$3" in venv) ${make};; *) echo 3.11.7 cpython; echo ${python};; esac\n`;
  writeFileSync(python, script, { mode: 0o755 });
  return python;
}

/** Fails to install from an index. */
const OFFLINE =
  '#!/bin/sh\ncase "$*" in *" install "*--no-index*|*--version) ;; *" install "*) echo NewConnectionError; exit 1;; esac\n';
/** Fails to install whatever the source. */
const BROKEN =
  '#!/bin/sh\ncase "$*" in *--no-index*) echo No matching distribution; exit 1;; *) echo NewConnectionError; exit 1;; esac\n';

test("without a network the packages in the extension are installed; a new lock gets an environment of its own", async () => {
  const storage = path.join(root, "offline");
  const logged: string[] = [];
  const python = pythonThat(OFFLINE);
  const first = await findServer(place({ storage, python, log: (line) => logged.push(line) }), installing);
  assert.match(logged.join("\n"), /installed with pip from the packages in the extension in \d/);
  assert.deepEqual(await findServer(place({ storage, python }), none), first, "it is installed once");
  const upgraded = place({ storage, python, bundle: bundle("newer", "attrs==27.0.0 --hash=sha256:2\n") });
  assert.notDeepEqual(await findServer(upgraded, installing), first);
  assert.equal(readdirSync(storage).length, 1, "the older environment is removed");
});

test("a Python for which no packages fit is named, and nothing that is half made is left", async () => {
  const storage = path.join(root, "unfit");
  const python = pythonThat(BROKEN);
  await assert.rejects(findServer(place({ storage, python }), installing), (error) => {
    assert.ok(error instanceof SetupError);
    assert.match(error.message, /could not download .* CPython 3\.10 to 3\.11 on linux-x64, which .* does not fit/);
    return error.cure === "python";
  });
  assert.deepEqual(readdirSync(storage), []);
});

test("without a Python, uv fetches one and installs the packages in the extension", async () => {
  const folder = mkdtempSync(path.join(root, "uv-"));
  const [file, storage] = [path.join(folder, "uv"), path.join(root, "fetched")];
  const make = `for last; do :; done; /bin/mkdir -p "$last/bin"; printf '#!/bin/sh\\n' > "$last/bin/python"; /bin/chmod +x "$last/bin/python"`;
  const script = `#!/bin/sh\necho "$*" >> ${folder}/calls\ncase "$1" in venv) ${make};; esac\n`;
  writeFileSync(file, script, { mode: 0o755 });
  process.env.PATH = folder;
  await findServer(place({ python: "", storage }), installing);
  const calls = readFileSync(path.join(folder, "calls"), "utf8").split("\n");
  assert.match(calls[1] ?? "", /^venv --python >=3\.10,<3\.12 /);
  assert.match(calls[2] ?? "", /^pip install --no-config --offline .*--no-index/);
});

test("an extension without a server names what to do", async () => {
  await assert.rejects(findServer(place({ bundle: path.join(root, "empty") }), none), /Install kato-lsp with pip/);
});
