// Finds the server, or installs one: the setting, `kato` on the PATH, otherwise a private environment in the extension's storage.
//
// Rules: an environment is made under a temporary name and renamed when it is complete, by one window at a time. Its name
// contains the hash of the lock, in which the server's wheel is: another server or other packages get another environment.
// Python runs isolated (-I), without the modules on the user's PYTHONPATH or in the current folder.

import { randomUUID } from "node:crypto";
import { promises as fs } from "node:fs";
import * as path from "node:path";
import { alone } from "./alone";
import { readBundle, type Bundle, type Source } from "./bundle";
import { distrust, isWhole, putInPlace, removeHalfMade, removeOlder, use } from "./environments";
import {
  explain,
  fetchable,
  hasPackages,
  installers,
  noPython,
  type Base,
  type Fault,
  type Installer,
} from "./installers";
import { findPython, type PythonPlace } from "./python";
import { isCompatible, lastLine, parseVersion, pythonOf, type Version } from "./resolve";
import { run, type RunOptions } from "./run";
import { SetupError } from "./setupError";

export interface Place extends PythonPlace {
  /** The extension's private folder on this machine. */
  storage: string;
  /** The folder of the extension that holds the server's wheel and the packages it needs. */
  bundle: string;
  /** The extension's version, which the server must be compatible with. */
  version: string;
  command: readonly string[];
  /** The server crashed recently: a private environment is tried before it is used again. */
  isDoubtful: boolean;
  log: (line: string) => void;
}

export interface Progress {
  report: (message: string) => void;
  signal: AbortSignal;
}

/** The command that starts the server. Calls `installing`, which shows progress, if a server must be installed. */
export async function findServer(
  place: Place,
  installing: (work: (progress: Progress) => Promise<void>) => Promise<void>,
): Promise<string[]> {
  if (place.command.length > 0) {
    const [program = "", ...args] = place.command;
    return args.length > 0 ? [program, ...args] : [program, "serve"];
  }
  const wanted = parseVersion(place.version);
  if (wanted !== undefined && (await isOnPath(place, wanted))) {
    return ["kato", "serve"];
  }
  const bundle = await readBundle(place.bundle);
  const folder = path.join(place.storage, `server-${place.version}-${bundle.hash}`);
  await fs.mkdir(place.storage, { recursive: true });
  if (place.isDoubtful && (await answer(place, folder)).code !== 0) {
    // The Python of the environment was replaced: packages that were installed for the old one do not work with the new one.
    await distrust(folder);
  }
  if (!(await isWhole(folder, place.platform))) {
    await installing((progress) => install(place, bundle, folder, progress));
  }
  await use(folder).catch((error: unknown) => place.log(String(error))); // the server can start on a full disk
  await removeOlder(place.storage, folder);
  return [...isolated(pythonOf(folder, place.platform)), "-m", "kato", "serve"];
}

function isolated(python: string): string[] {
  return [python, "-I"];
}

/** Runs the server of an environment with `--version`. */
function answer(place: Place, folder: string): ReturnType<typeof run> {
  return run([...isolated(pythonOf(folder, place.platform)), "-m", "kato", "--version"], { timeoutMs: 60_000 });
}

async function isOnPath(place: Place, wanted: Version): Promise<boolean> {
  const { code, output } = await run(["kato", "--version"], { timeoutMs: 10_000 });
  const found = code === 0 ? parseVersion(output) : undefined;
  if (found !== undefined && !isCompatible(found, wanted)) {
    place.log(`kato on the PATH is ${output.trim()}, which is not compatible with ${place.version}; it is not used.`);
  }
  return isCompatible(found, wanted);
}

async function install(place: Place, bundle: Bundle, folder: string, progress: Progress): Promise<void> {
  try {
    const waiting = (): void => progress.report("waiting for another window that installs it…");
    await alone(path.join(place.storage, "installing"), progress.signal, waiting, async () => {
      if (!(await isWhole(folder, place.platform))) {
        await removeHalfMade(place.storage);
        await make(place, bundle, folder, progress);
      }
    });
  } catch (error) {
    throw progress.signal.aborted ? new SetupError("Setting up Kato's server was cancelled.", "retry") : error;
  }
}

async function make(place: Place, bundle: Bundle, folder: string, progress: Progress): Promise<void> {
  progress.report("looking for Python…");
  const hasUv = (await run(["uv", "--version"], { timeoutMs: 10_000 })).code === 0;
  const base = await findBase(place, bundle, hasUv, progress.signal);
  const beside = `${folder}.${randomUUID().slice(0, 8)}.new`;
  const begun = Date.now();
  try {
    const faults: Fault[] = [];
    for (const installer of installers(bundle, base, hasUv, beside, place.platform)) {
      const fault = await fill(installer, beside, place, progress);
      progress.signal.throwIfAborted();
      if (fault === undefined) {
        await putToUse(place, beside, folder);
        const from = installer.source === "bundle" ? "the packages in the extension" : "an index";
        place.log(`installed with ${installer.name} from ${from} in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
        return;
      }
      faults.push(fault);
      if ("fetched" in base && fault.step === "make") {
        break; // each way would repeat the download that failed
      }
    }
    throw explain(faults, base, bundle);
  } finally {
    await fs.rm(beside, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined); // its name marks it as incomplete
  }
}

/** A Python of this machine; where there is none, one that uv fetches, unless the user chose one that does not run. */
async function findBase(place: Place, bundle: Bundle, hasUv: boolean, signal: AbortSignal): Promise<Base> {
  const search = await findPython(place, (python) => hasPackages(bundle, python), signal);
  if ("python" in search) {
    return search;
  }
  if (hasUv && place.python === "") {
    return { fetched: fetchable(bundle) };
  }
  throw noPython(search.found);
}

/** Makes an environment with the server in it. Returns what failed. */
async function fill(
  installer: Installer,
  folder: string,
  place: Place,
  progress: Progress,
): Promise<Fault | undefined> {
  const options: RunOptions = {
    timeoutMs: 5 * 60_000,
    signal: progress.signal,
    cwd: place.storage,
    environment: installer.environment,
    onOutput: (text) => place.log(text.trimEnd()),
  };
  const texts = { make: "making its environment…", install: doing(installer.source) };
  await fs.rm(folder, { recursive: true, force: true });
  for (const step of ["make", "install"] as const) {
    progress.report(texts[step]);
    const { code, output } = await run(installer[step], options);
    if (code !== 0) {
      return { source: installer.source, step, output };
    }
  }
  return undefined;
}

function doing(source: Source): string {
  return source === "bundle" ? "installing its packages…" : "downloading what it needs…";
}

async function putToUse(place: Place, made: string, folder: string): Promise<void> {
  const tried = await answer(place, made);
  if (tried.code !== 0) {
    throw new SetupError(`Kato's server was installed but does not start: ${lastLine(tried.output)}`, "retry");
  }
  await putInPlace(made, folder, place.platform);
}
