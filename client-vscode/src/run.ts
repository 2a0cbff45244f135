// Runs other programs to their end, with a bound on their time and their output.
//
// Rule: a program that is cancelled is killed with all programs that it started. Otherwise those of an installer would go on
// writing.

import { spawn, type ChildProcess } from "node:child_process";

export interface Ran {
  code: number | null;
  /** The end of its standard output and standard error together. */
  output: string;
}

export interface RunOptions {
  timeoutMs: number;
  signal?: AbortSignal;
  cwd?: string;
  /** Variables in addition to those of this process. */
  environment?: Readonly<Record<string, string>>;
  onOutput?: (text: string) => void;
}

const OUTPUT_CHARS_MAX = 64 * 1024;
const HAS_GROUPS = process.platform !== "win32";

/** Never rejects: for a program that cannot be started, `code` is null and `output` is the reason. */
export function run(
  command: readonly string[],
  { timeoutMs, signal, cwd, environment, onOutput }: RunOptions,
): Promise<Ran> {
  return new Promise((resolve) => {
    const [program = "", ...args] = command;
    let output = "";
    if (signal?.aborted === true) {
      resolve({ code: null, output: "cancelled" });
      return;
    }
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        stdio: ["ignore", "pipe", "pipe"],
        windowsHide: true,
        detached: HAS_GROUPS,
        ...(cwd !== undefined && { cwd }),
        ...(environment !== undefined && { env: { ...process.env, ...environment } }),
      });
    } catch (error) {
      resolve({ code: null, output: String(error) });
      return;
    }
    const end = (): void => endAll(child);
    const timer = setTimeout(end, timeoutMs);
    signal?.addEventListener("abort", end);
    const settle = (code: number | null, text: string): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve({ code, output: text });
    };
    const take = (chunk: Buffer): void => {
      const text = chunk.toString();
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
      onOutput?.(text);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.on("error", (error) => settle(null, `${output}${error.message}`));
    child.on("close", (code) => settle(code, output));
  });
}

function endAll(child: ChildProcess): void {
  if (child.pid === undefined) {
    return;
  }
  if (!HAS_GROUPS) {
    spawn("taskkill", ["/pid", String(child.pid), "/t", "/f"], { stdio: "ignore", windowsHide: true }).on("error", () =>
      child.kill(),
    );
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // it has ended
  }
}
