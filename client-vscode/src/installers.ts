// How the server's environment is made: with uv or pip, from the packages in the extension or from an index; and what people
// are shown if none of these ways works. Pure.
//
// Rule: every package has the version and the hash of the lock, whatever its source.

import { requirementsOf, wheelsOf, type Bundle, type Source } from "./bundle";
import type { Python } from "./python";
import { installFailure, lastLine, parseVersion, pythonOf } from "./resolve";
import { SetupError } from "./setupError";

/** What the environment is made from: a Python of this machine, or one that uv fetches. */
export type Base = { python: Python } | { fetched: string };

export interface Installer {
  name: string;
  source: Source;
  make: readonly string[];
  install: readonly string[];
  environment: Readonly<Record<string, string>>;
}

export interface Fault {
  source: Source;
  step: "make" | "install";
  output: string;
}

const RUN_PIP =
  "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('pip', run_name='__main__', alter_sys=True)";

/** Whether the extension contains the packages for this Python. A Python for another processor may still not fit. */
export function hasPackages(bundle: Bundle, { version, implementation }: Python): boolean {
  const found = parseVersion(version);
  return (
    bundle.platform !== "universal" &&
    implementation === "cpython" &&
    found !== undefined &&
    bundle.pythons.includes(`${found.major}.${found.minor}`)
  );
}

/** The versions that uv may fetch: those that the lock is for. */
export function fetchable({ pythons }: Bundle): string {
  const [newest] = pythons.slice(-1);
  const { major, minor } = parseVersion(newest ?? "") ?? { major: 3, minor: 14 };
  return `>=${pythons[0] ?? "3.10"},<${major}.${minor + 1}`;
}

/** The ways to make the environment `folder`, the best one first. */
export function installers(bundle: Bundle, base: Base, hasUv: boolean, folder: string, platform: string): Installer[] {
  const sources: Source[] =
    bundle.platform !== "universal" && ("fetched" in base || hasPackages(bundle, base.python))
      ? ["bundle", "index"]
      : ["index"];
  const inside = pythonOf(folder, platform);
  return sources.flatMap((source) => [
    ...(hasUv ? [withUv(bundle, source, base, folder, inside)] : []),
    ...("python" in base ? [withPip(bundle, source, base.python, folder, inside, platform)] : []),
  ]);
}

/** uv makes environments also where Python has no venv module, but it does not know an index that is configured for pip only. */
function withUv(bundle: Bundle, source: Source, base: Base, folder: string, inside: string): Installer {
  const alone = source === "bundle" ? ["--no-config", "--offline"] : [];
  const isFetched = "fetched" in base;
  const python = isFetched ? base.fetched : base.python.executable;
  return {
    name: "uv",
    source,
    make: ["uv", "venv", ...(isFetched ? [] : alone), "--python", python, folder],
    install: ["uv", "pip", "install", ...alone, "--python", inside, ...locked(bundle, source)],
    environment: {},
  };
}

function withPip(
  bundle: Bundle,
  source: Source,
  python: Python,
  folder: string,
  inside: string,
  platform: string,
): Installer {
  const isAlone = source === "bundle";
  return {
    name: "pip",
    source,
    make: [python.executable, "-I", "-m", "venv", "--without-pip", folder],
    install: [
      ...[inside, "-I", "-c", RUN_PIP, bundle.pip, "install", ...(isAlone ? ["--isolated"] : [])],
      ...["--disable-pip-version-check", "--no-input", "--no-compile", ...locked(bundle, source)],
    ],
    // The user's configuration can name an index, not change an installation that needs none.
    environment: isAlone ? { PIP_CONFIG_FILE: platform === "win32" ? "nul" : "/dev/null" } : {},
  };
}

function locked(bundle: Bundle, source: Source): string[] {
  const from = source === "bundle" ? ["--no-index", "--find-links", wheelsOf(bundle)] : [];
  return [
    ...[...from, "--find-links", bundle.folder, "--no-deps", "--require-hashes"],
    ...["--requirement", requirementsOf(bundle, source)],
  ];
}

// --- Failures -------------------------------------------------------------------------------------------

/** What the user is shown if every installer failed. */
export function explain(faults: readonly Fault[], base: Base, bundle: Bundle): SetupError {
  const { source, step, output } = decisive(faults);
  if ("fetched" in base && step === "make") {
    return noPython("none was found on the PATH, and uv could not download one");
  }
  switch (installFailure(output)) {
    case "noVenv":
      return new SetupError(
        `${nameOf(base)} cannot make environments (its venv module is missing). On Debian and Ubuntu: sudo apt install python3-venv. Or choose another Python.`,
        "python",
      );
    case "network":
      return unreachable(base, bundle);
    case "noSpace":
      return new SetupError("Kato's server could not be installed: no space is left on the disk.", "retry");
    case "hashes":
      return new SetupError(
        source === "bundle"
          ? "Kato's server was not installed: a package in the extension is damaged. Install the extension again."
          : "Kato's server was not installed: the index offers a package that differs from the one that this version of Kato was tested with. Check the index or the proxy that pip uses, then retry.",
        "retry",
      );
    case "other":
      return new SetupError(`Kato's server could not be installed: ${lastLine(output)}`, "retry");
  }
}

/** The last fault; if the index was merely out of reach, the one that kept the packages in the extension from being installed. */
function decisive(faults: readonly Fault[]): Fault {
  const last = faults.at(-1) ?? { source: "index", step: "make", output: "" };
  const ofBundle = faults.filter(({ source }) => source === "bundle").at(-1);
  const isReason = ofBundle !== undefined && installFailure(ofBundle.output) !== "network";
  return isReason && installFailure(last.output) === "network" ? ofBundle : last;
}

export function noPython(found: string): SetupError {
  return new SetupError(
    `Kato needs Python 3.10 or newer for its server; ${found}. Install Python, or choose one.`,
    "python",
  );
}

function unreachable(base: Base, bundle: Bundle): SetupError {
  const range = `CPython ${bundle.pythons[0] ?? ""} to ${bundle.pythons.at(-1) ?? ""}`;
  const cause = "Kato could not download what its server needs.";
  if (bundle.platform === "universal") {
    return new SetupError(
      `${cause} Check the network or the proxy and retry. Without a network, install the extension's VSIX for your platform: it contains everything for ${range}.`,
      "retry",
    );
  }
  return new SetupError(
    `${cause} This extension contains it for ${range} on ${bundle.platform}, which ${nameOf(base)} does not fit. Choose such a Python, or check the network or the proxy and retry.`,
    "python",
  );
}

function nameOf(base: Base): string {
  return "fetched" in base ? "the Python that uv downloaded" : `${base.python.executable} (${base.python.version})`;
}
