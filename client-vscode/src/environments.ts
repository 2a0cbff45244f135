// The private environments in the extension's storage, one for each wheel.
//
// Rules: an environment under its own name is complete. The name of one that is being made, or was abandoned, ends in `.new`.
// An environment from which another window's server may run is not removed.

import { promises as fs } from "node:fs";
import * as path from "node:path";
import { pythonOf } from "./resolve";

const MARK = "kato-installed";
const USER = /^used-by-(\d+)$/;

/** Whether a server can be started from it: the installation was completed, and its Python is still on this machine. */
export async function isWhole(folder: string, platform: string): Promise<boolean> {
  return (await exists(path.join(folder, MARK))) && (await exists(pythonOf(folder, platform)));
}

/** Moves a new environment to its own name. */
export async function putInPlace(made: string, folder: string, platform: string): Promise<void> {
  await fs.writeFile(path.join(made, MARK), "");
  if (!(await isWhole(folder, platform))) {
    await fs.rm(folder, { recursive: true, force: true });
    await fs.rename(made, folder);
  }
}

/** Marks an environment as incomplete. */
export async function distrust(folder: string): Promise<void> {
  await fs.rm(path.join(folder, MARK), { force: true });
}

/** Marks that this window runs its server from the environment, and removes the marks of windows that are gone. */
export async function use(folder: string): Promise<void> {
  await fs.writeFile(path.join(folder, `used-by-${process.pid}`), "");
  for (const name of await fs.readdir(folder)) {
    if (USER.test(name) && userOf(name) !== process.pid && !isAlive(name)) {
      await fs.rm(path.join(folder, name), { force: true });
    }
  }
}

/** Removes environments that earlier installations left incomplete. Only the one window that installs may call it. */
export async function removeHalfMade(storage: string): Promise<void> {
  await remove(storage, (name) => Promise.resolve(name.endsWith(".new")));
}

/** Removes older environments from which no window runs a server. */
export async function removeOlder(storage: string, folder: string): Promise<void> {
  const ours = await madeAt(folder);
  await remove(storage, async (name) => {
    const other = path.join(storage, name);
    // A window with an older version of the extension must not remove the environment of a newer one.
    return other !== folder && !name.endsWith(".new") && (await madeAt(other)) <= ours && !(await isUsed(other));
  });
}

async function remove(storage: string, isUnwanted: (name: string) => Promise<boolean>): Promise<void> {
  for (const name of await fs.readdir(storage).catch(() => [] as string[])) {
    if (name.startsWith("server-") && (await isUnwanted(name))) {
      // A folder that cannot be removed now (on Windows: with an open file) is removed at a later start.
      await fs.rm(path.join(storage, name), { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

async function isUsed(folder: string): Promise<boolean> {
  const names = await fs.readdir(folder).catch(() => [] as string[]);
  return names.some((name) => userOf(name) !== process.pid && isAlive(name));
}

function userOf(name: string): number {
  return Number(USER.exec(name)?.[1] ?? 0);
}

function isAlive(name: string): boolean {
  const pid = userOf(name);
  try {
    return pid > 0 && process.kill(pid, 0); // signal 0 only checks
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // the process exists, and is another user's
  }
}

async function madeAt(folder: string): Promise<number> {
  return fs.stat(path.join(folder, MARK)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}
