// One window at a time: a lock that its holder keeps fresh. A window that was closed over its work leaves a lock that
// grows old within seconds, so that the next window does not wait for a window that is gone. (A process id would not do: windows in
// containers may share a folder, not their ids.)

import { promises as fs } from "node:fs";

const FRESH_MS = 2000;
const STALE_MS = 15_000;
const LOOK_MS = 250;

/** Runs `work` while no other holder of `lock` (a path) does. `waiting` is called while another does. */
export async function alone<T>(lock: string, signal: AbortSignal, waiting: () => void, work: () => Promise<T>): Promise<T> {
  while (!(await take(lock))) {
    signal.throwIfAborted();
    waiting();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const freshen = setInterval(() => void fs.utimes(lock, new Date(), new Date()).catch(() => undefined), FRESH_MS);
  try {
    return await work();
  } finally {
    clearInterval(freshen);
    await fs.rm(lock, { recursive: true, force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  try {
    await fs.mkdir(lock);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) {
      throw error;
    }
  }
  const held = await fs.stat(lock).catch(() => undefined);
  if (held !== undefined && Date.now() - held.mtimeMs > STALE_MS) {
    await fs.rm(lock, { recursive: true, force: true });
  }
  return false;
}
