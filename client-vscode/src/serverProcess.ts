// The process of a Kato server, with its pipes.
//
// Rule: what a process wrote before it ended is read in full. When a pipe closes, the language client drops what it has not
// handled yet, and reports a start that fails then as a success. So the end of the process' output reaches the client later.

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { PassThrough } from "node:stream";
import type { StreamInfo } from "vscode-languageclient/node";
import { LogLines, type LogLine } from "./logLines";

/** Milliseconds from the end of a process until all that it wrote has been handled. */
export const LAST_WORDS_MS = 500;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class ServerProcess {
  readonly streams: StreamInfo;
  readonly exited: Promise<Exit>;
  #isAlive = true;

  /** Runs it in `folder`: in the workspace's folder, `python -m kato` would run a `kato` that lies there. */
  static start(command: readonly string[], folder: string, onLog: (line: LogLine) => void): Promise<ServerProcess> {
    const [program = "", ...args] = command;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd: folder, stdio: "pipe", windowsHide: true });
      const started = new ServerProcess(child);
      const lines = new LogLines(onLog);
      child.stderr.setEncoding("utf8").on("data", (text: string) => lines.add(text));
      child.stderr.once("end", () => lines.end());
      child.once("error", reject);
      child.once("spawn", () => resolve(started));
    });
  }

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    const [reader, writer] = [new PassThrough(), new PassThrough()];
    writer.pipe(child.stdin);
    child.stdin.on("error", () => undefined); // it ended while it was written to, which `exited` reports
    child.stdout.pipe(reader, { end: false });
    child.stdout.once("end", () => setTimeout(() => reader.end(), LAST_WORDS_MS));
    this.streams = { reader, writer };
    this.exited = new Promise((resolve) =>
      child.once("exit", (code, signal) => {
        this.#isAlive = false;
        resolve({ code, signal });
      }),
    );
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  /** Waits for its end; kills it after this time: it was asked to end, and may still have something to write. */
  async end(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}
