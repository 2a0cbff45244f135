// Finds the server, or makes one: the setting, `kato` on the PATH, else a private environment in the extension's storage.
//
// Rule: an environment is made next to its place and moved there when it is complete, by one window at a time. Its name holds
// the wheel's hash: another wheel is another environment. Python runs isolated (-I): what the user's PYTHONPATH or the
// folder it happens to run in hold is not ours.

import { createHash, randomUUID } from "node:crypto";
import { promises as fs } from "node:fs";
import * as path from "node:path";
import { alone } from "./alone";
import { distrust, isWhole, putInPlace, removeHalfMade, removeOlder, use } from "./environments";
import { installFailure, isCompatible, isPythonNewEnough, parseVersion, pythonOf, pythonsOnPath, type Version } from "./resolve";
import { run, type RunOptions } from "./run";

/** Why there is no server, for people, with what they can do about it. */
export class SetupError extends Error {
  constructor(
    message: string,
    readonly cure: "python" | "retry" | "settings",
  ) {
    super(message);
  }
}

export interface Place {
  /** The extension's private folder on this machine. */
  storage: string;
  /** The folder that holds the server's wheel. */
  wheels: string;
  /** The extension's version: that of the server it wants. */
  version: string;
  platform: string;
  command: readonly string[];
  python: string;
  /** The Python extension's interpreter, if it has one. */
  pythonOfEditor: () => Promise<string | undefined>;
  /** The server was started lately and ended by itself: a private environment is tried before it is trusted again. */
  isDoubtful: boolean;
  log: (line: string) => void;
}

export interface Progress {
  report: (message: string) => void;
  signal: AbortSignal;
}

/** The command that starts the server. `installing` is called when one has to be made: it shows progress meanwhile. */
export async function findServer(place: Place, installing: (work: (progress: Progress) => Promise<void>) => Promise<void>): Promise<string[]> {
  if (place.command.length > 0) {
    const [program = "", ...args] = place.command;
    return args.length > 0 ? [program, ...args] : [program, "serve"];
  }
  const wanted = parseVersion(place.version);
  if (wanted !== undefined && (await isOnPath(place, wanted))) {
    return ["kato", "serve"];
  }
  const wheel = await findWheel(place);
  const folder = path.join(place.storage, `server-${place.version}-${await hashOf(wheel)}`);
  await fs.mkdir(place.storage, { recursive: true });
  if (place.isDoubtful && (await answer(place, folder)).code !== 0) {
    // The Python that it was made from was replaced: what was installed for the old one is of no use to the new one.
    await distrust(folder);
  }
  if (!(await isWhole(folder, place.platform))) {
    await installing((progress) => install(place, wheel, folder, progress));
  }
  await use(folder).catch((error: unknown) => place.log(String(error))); // a full disk does not prevent the start
  await removeOlder(place.storage, folder);
  return [...isolated(pythonOf(folder, place.platform)), "-m", "kato", "serve"];
}

function isolated(python: string): string[] {
  return [python, "-I"];
}

/** What the server in an environment says when it is asked for its version. */
function answer(place: Place, folder: string): ReturnType<typeof run> {
  return run([...isolated(pythonOf(folder, place.platform)), "-m", "kato", "--version"], { timeoutMs: 60_000 });
}

async function isOnPath(place: Place, wanted: Version): Promise<boolean> {
  const { code, output } = await run(["kato", "--version"], { timeoutMs: 10_000 });
  const found = code === 0 ? parseVersion(output) : undefined;
  if (found !== undefined && !isCompatible(found, wanted)) {
    place.log(`kato on the PATH is ${output.trim()}, which does not fit ${place.version}; it is left alone.`);
  }
  return isCompatible(found, wanted);
}

async function findWheel(place: Place): Promise<string> {
  const names = await fs.readdir(place.wheels).catch(() => [] as string[]);
  const name = names.find((one) => one.endsWith(".whl"));
  if (name === undefined) {
    throw new SetupError("This build of the extension carries no server. Install kato-lsp with pip and set kato.server.command.", "settings");
  }
  return path.join(place.wheels, name);
}

async function hashOf(file: string): Promise<string> {
  return createHash("sha256")
    .update(await fs.readFile(file))
    .digest("hex")
    .slice(0, 8);
}

async function install(place: Place, wheel: string, folder: string, progress: Progress): Promise<void> {
  try {
    const waiting = (): void => progress.report("another window installs it…");
    await alone(path.join(place.storage, "installing"), progress.signal, waiting, async () => {
      if (!(await isWhole(folder, place.platform))) {
        await removeHalfMade(place.storage);
        await make(place, wheel, folder, progress);
      }
    });
  } catch (error) {
    throw progress.signal.aborted ? new SetupError("Setting up Kato's server was cancelled.", "retry") : error;
  }
}

async function make(place: Place, wheel: string, folder: string, progress: Progress): Promise<void> {
  progress.report("looking for Python…");
  const python = await findPython(place, progress.signal);
  const beside = `${folder}.${randomUUID().slice(0, 8)}.new`;
  const steps: RunOptions = { timeoutMs: 5 * 60_000, signal: progress.signal, cwd: place.storage, onOutput: (text) => place.log(text.trimEnd()) };
  try {
    const inside = pythonOf(beside, place.platform);
    const pip: Installer = {
      make: [...isolated(python), "-m", "venv", beside],
      install: [...isolated(inside), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", wheel],
    };
    const uv: Installer = { make: ["uv", "venv", "--python", python, beside], install: ["uv", "pip", "install", "--python", inside, wheel] };
    const hasUv = (await run(["uv", "--version"], { timeoutMs: 10_000 })).code === 0;
    // uv is fast, but knows nothing of an index that only pip is configured for.
    const isMade = hasUv && (await fill(uv, beside, steps, progress)) === undefined;
    const fault = isMade ? undefined : await fill(pip, beside, steps, progress);
    progress.signal.throwIfAborted();
    if (fault !== undefined) {
      throw failure(fault, python, wheel);
    }
    const tried = await answer(place, beside);
    if (tried.code !== 0) {
      throw new SetupError(`Kato's server was installed but does not start: ${lastLine(tried.output)}`, "retry");
    }
    await putInPlace(beside, folder, place.platform);
  } finally {
    await fs.rm(beside, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined); // it cannot be taken for whole
  }
}

interface Installer {
  make: string[];
  install: string[];
}

/** Makes an environment with the server in it; what the installer said, if it failed. */
async function fill(installer: Installer, folder: string, steps: RunOptions, progress: Progress): Promise<string | undefined> {
  await fs.rm(folder, { recursive: true, force: true });
  progress.report("making its environment…");
  const made = await run(installer.make, steps);
  if (made.code !== 0) {
    return made.output;
  }
  progress.report("downloading what it needs…");
  const installed = await run(installer.install, steps);
  return installed.code === 0 ? undefined : installed.output;
}

async function findPython(place: Place, signal: AbortSignal): Promise<string> {
  const tried: string[] = [];
  const ofEditor = await place.pythonOfEditor().catch(() => undefined);
  const candidates = place.python === "" ? [...(ofEditor === undefined ? [] : [[ofEditor]]), ...pythonsOnPath(place.platform)] : [[place.python]];
  for (const candidate of candidates) {
    signal.throwIfAborted();
    // Says where it really is: a launcher (py, a shim) is not what an environment is made from.
    const { code, output } = await run([...candidate, "-I", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"], { timeoutMs: 15_000, signal });
    if (code !== 0) {
      continue;
    }
    const [version = "", executable = ""] = output.trim().split(/\r?\n/).slice(-2);
    if (isPythonNewEnough(parseVersion(version))) {
      return executable;
    }
    tried.push(`${candidate.join(" ")} is ${version}`);
  }
  const found = tried.length > 0 ? `found only: ${tried.join(", ")}` : place.python === "" ? "none was found on the PATH" : `kato.server.python (${place.python}) does not run`;
  throw new SetupError(`Kato needs Python 3.10 or newer for its server; ${found}. Install Python, or choose one.`, "python");
}

function failure(output: string, python: string, wheel: string): SetupError {
  switch (installFailure(output)) {
    case "noVenv":
      return new SetupError(`${python} cannot make environments (its venv module is missing). On Debian and Ubuntu: sudo apt install python3-venv. Or choose another Python.`, "python");
    case "network":
      return new SetupError(`Kato could not download what its server needs. Check the network or the proxy and retry, or install it yourself (pip install "${wheel}") and set kato.server.command.`, "retry");
    case "noSpace":
      return new SetupError("Kato's server could not be installed: no space is left on the disk.", "retry");
    default:
      return new SetupError(`Kato's server could not be installed: ${lastLine(output)}`, "retry");
  }
}

function lastLine(output: string): string {
  return output.trim().split(/\r?\n/).at(-1) ?? "";
}
