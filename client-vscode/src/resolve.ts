// Which server fits, which Python will do, and what a failed installation means. Pure.

export interface Version {
  major: number;
  minor: number;
  patch: number;
}

/** The first `1.2.3` (or `1.2`) in a program's answer to `--version`. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** Whether a server of this version speaks this client's contract: the same major version (of 0.x, the same minor), not older. */
export function isCompatible(found: Version | undefined, wanted: Version): boolean {
  if (found === undefined || found.major !== wanted.major || (wanted.major === 0 && found.minor !== wanted.minor)) {
    return false;
  }
  return found.minor > wanted.minor || (found.minor === wanted.minor && found.patch >= wanted.patch);
}

/** Python 3.10 is the oldest that the server runs on. */
export function isPythonNewEnough(found: Version | undefined): boolean {
  return found !== undefined && (found.major > 3 || (found.major === 3 && found.minor >= 10));
}

/** The commands by which Python may be found on a PATH. */
export function pythonsOnPath(platform: string): string[][] {
  const versions = ["3.14", "3.13", "3.12", "3.11", "3.10"].map((version) => [`python${version}`]);
  return platform === "win32" ? [["python"], ["py", "-3"], ["python3"]] : [["python3"], ["python"], ...versions];
}

/** Where an environment has its Python. */
export function pythonOf(folder: string, platform: string): string {
  return platform === "win32" ? `${folder}\\Scripts\\python.exe` : `${folder}/bin/python`;
}

/** Why an installer failed, as far as its output shows. */
export function installFailure(output: string): "network" | "noVenv" | "noSpace" | "other" {
  if (/ensurepip is not|No module named '?(venv|ensurepip)|python3-venv/i.test(output)) {
    return "noVenv";
  }
  if (/No space left|ENOSPC|disk full/i.test(output)) {
    return "noSpace";
  }
  if (
    /Could not find a version|No matching distribution|NewConnectionError|ConnectionError|ConnectTimeout|Read ?timed out|resolve host|name resolution|dns error|error sending request|Failed to fetch|Network is unreachable|ProxyError|SSLError|CERTIFICATE_VERIFY/i.test(
      output,
    )
  ) {
    return "network";
  }
  return "other";
}

/** How long to wait before the next start after a crash, in milliseconds; undefined: no more. `crashes` are their times. */
export function pauseBeforeRestart(crashes: readonly number[], now: number): number | undefined {
  const recent = crashes.filter((time) => now - time < 3 * 60_000).length;
  return recent > 4 ? undefined : 250 * 2 ** Math.max(0, recent - 1);
}
