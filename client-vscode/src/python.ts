// Finds a Python for the server: the setting, the Python extension's interpreter, those on the PATH.

import { isPythonNewEnough, parseVersion, pythonsOnPath } from "./resolve";
import { run } from "./run";

export interface Python {
  /** Its real path: an environment cannot be made from a launcher (py, a shim). */
  executable: string;
  version: string;
  /** `cpython`; other implementations and builds without the GIL need other wheels. */
  implementation: string;
}

export interface PythonPlace {
  platform: string;
  /** The setting; empty: not set. */
  python: string;
  /** The Python extension's interpreter, if it has one. */
  pythonOfEditor: () => Promise<string | undefined>;
}

/** A Python that is new enough; otherwise what was found instead, for people. */
export type FoundPython = { python: Python } | { found: string };

const QUESTION = [
  "import sys, sysconfig",
  "print('%d.%d.%d' % sys.version_info[:3], sys.implementation.name + '-t' * bool(sysconfig.get_config_var('Py_GIL_DISABLED')))",
  "print(sys.executable)",
].join("\n");

/** Prefers the first Python for which the extension contains the packages; otherwise the first that is new enough. */
export async function findPython(
  place: PythonPlace,
  hasPackages: (python: Python) => boolean,
  signal: AbortSignal,
): Promise<FoundPython> {
  const tried: string[] = [];
  let other: Python | undefined;
  for (const candidate of await candidates(place)) {
    signal.throwIfAborted();
    const python = await ask(candidate, signal);
    if (python === undefined) {
      continue;
    }
    if (!isPythonNewEnough(parseVersion(python.version))) {
      tried.push(`${candidate.join(" ")} is ${python.version}`);
    } else if (hasPackages(python)) {
      return { python };
    } else {
      other ??= python;
    }
  }
  return other === undefined ? { found: foundInstead(place, tried) } : { python: other };
}

async function candidates({ python, pythonOfEditor, platform }: PythonPlace): Promise<string[][]> {
  if (python !== "") {
    return [[python]];
  }
  const ofEditor = await pythonOfEditor().catch(() => undefined);
  return [...(ofEditor === undefined ? [] : [[ofEditor]]), ...pythonsOnPath(platform)];
}

async function ask(candidate: readonly string[], signal: AbortSignal): Promise<Python | undefined> {
  const { code, output } = await run([...candidate, "-I", "-c", QUESTION], { timeoutMs: 15_000, signal });
  const [first = "", executable = ""] = output.trim().split(/\r?\n/).slice(-2);
  const [version = "", implementation = ""] = first.split(" ");
  return code === 0 ? { executable, version, implementation } : undefined;
}

function foundInstead({ python }: PythonPlace, tried: readonly string[]): string {
  if (tried.length > 0) {
    return `found only: ${tried.join(", ")}`;
  }
  return python === "" ? "none was found on the PATH" : `kato.server.python (${python}) does not run`;
}
