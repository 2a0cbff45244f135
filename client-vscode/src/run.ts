// Other programs, run to their end with a bound on time and output.

import { spawn } from "node:child_process";

export interface Ran {
  code: number | null;
  /** Standard output and error together, the end of it. */
  output: string;
}

export interface RunOptions {
  timeoutMs: number;
  signal?: AbortSignal;
  cwd?: string;
  onOutput?: (text: string) => void;
}

const OUTPUT_CHARS_MAX = 64 * 1024;

/** Never rejects: a program that cannot be started has no code and says why in `output`. */
export function run(command: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    let output = "";
    let child;
    try {
      child = spawn(program ?? "", args, { stdio: ["ignore", "pipe", "pipe"], windowsHide: true, timeout: options.timeoutMs, ...(options.cwd !== undefined && { cwd: options.cwd }), ...(options.signal && { signal: options.signal }) });
    } catch (error) {
      resolve({ code: null, output: String(error) });
      return;
    }
    const take = (chunk: Buffer): void => {
      const text = chunk.toString();
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
      options.onOutput?.(text);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error) => resolve({ code: null, output: `${output}${error.message}` }));
    child.on("close", (code) => resolve({ code, output }));
  });
}
