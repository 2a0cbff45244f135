// Which server is compatible, which Python is new enough, and why an installation failed. Pure.

export interface Version {
  major: number;
  minor: number;
  patch: number;
}

/** The first `1.2.3` (or `1.2`) in a program's output for `--version`. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null
    ? undefined
    : { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** Whether a server of this version has this client's contract: the same major version (for 0.x: the same minor), and not older. */
export function isCompatible(found: Version | undefined, wanted: Version): boolean {
  if (found?.major !== wanted.major || (wanted.major === 0 && found.minor !== wanted.minor)) {
    return false;
  }
  return found.minor > wanted.minor || (found.minor === wanted.minor && found.patch >= wanted.patch);
}

/** The server needs Python 3.10 or newer. */
export function isPythonNewEnough(found: Version | undefined): boolean {
  return found !== undefined && (found.major > 3 || (found.major === 3 && found.minor >= 10));
}

/** The commands that may start a Python on the PATH. */
export function pythonsOnPath(platform: string): string[][] {
  const versions = ["3.14", "3.13", "3.12", "3.11", "3.10"].map((version) => [`python${version}`]);
  return platform === "win32" ? [["python"], ["py", "-3"], ["python3"]] : [["python3"], ["python"], ...versions];
}

/** The path of an environment's Python. */
export function pythonOf(folder: string, platform: string): string {
  return platform === "win32" ? `${folder}\\Scripts\\python.exe` : `${folder}/bin/python`;
}

/** Why pip or uv failed. Their output is the only source: their exit codes do not distinguish the reasons. */
export function installFailure(output: string): "network" | "noVenv" | "noSpace" | "hashes" | "other" {
  if (/ensurepip is not|No module named '?(venv|ensurepip)|python3-venv/i.test(output)) {
    return "noVenv";
  }
  if (/No space left|ENOSPC|disk full/i.test(output)) {
    return "noSpace";
  }
  if (/do not match the hashes|hash mismatch/i.test(output)) {
    return "hashes";
  }
  if (
    /Could not find a version|No matching distribution|has no wheels with a matching|NewConnectionError|ConnectionError|ConnectTimeout|Read ?timed out|resolve host|name resolution|dns error|error sending request|Failed to fetch|Network is unreachable|ProxyError|SSLError|CERTIFICATE_VERIFY/i.test(
      output,
    )
  ) {
    return "network";
  }
  return "other";
}

export function lastLine(output: string): string {
  return output.trim().split(/\r?\n/).at(-1) ?? "";
}

/** Milliseconds before the next start after a crash; undefined: it is not started again. `crashes` has the times of the crashes. */
export function pauseBeforeRestart(crashes: readonly number[], now: number): number | undefined {
  const recent = crashes.filter((time) => now - time < 3 * 60_000).length;
  return recent > 4 ? undefined : 250 * 2 ** Math.max(0, recent - 1);
}
