// The private environments in the extension's storage, one for each wheel.
//
// Rule: an environment under its own name is whole; one that is being made, or was given up, ends in `.new`. One that
// another window's server may still run from is not removed.

import { promises as fs } from "node:fs";
import * as path from "node:path";
import { pythonOf } from "./resolve";

const MARK = "kato-installed";
const USER = /^used-by-(\d+)$/;

/** Whether a server can be started from it: all was installed, and its Python is still on this machine. */
export async function isWhole(folder: string, platform: string): Promise<boolean> {
  return (await exists(path.join(folder, MARK))) && (await exists(pythonOf(folder, platform)));
}

/** Moves a new environment to its place. */
export async function putInPlace(made: string, folder: string, platform: string): Promise<void> {
  await fs.writeFile(path.join(made, MARK), "");
  if (!(await isWhole(folder, platform))) {
    await fs.rm(folder, { recursive: true, force: true });
    await fs.rename(made, folder);
  }
}

/** It is no longer taken for whole. */
export async function distrust(folder: string): Promise<void> {
  await fs.rm(path.join(folder, MARK), { force: true });
}

/** Notes that this window runs its server from there, and forgets windows that are gone. */
export async function use(folder: string): Promise<void> {
  await fs.writeFile(path.join(folder, `used-by-${process.pid}`), "");
  for (const name of await fs.readdir(folder)) {
    if (USER.test(name) && userOf(name) !== process.pid && !isAlive(name)) {
      await fs.rm(path.join(folder, name), { force: true });
    }
  }
}

/** Removes what earlier installations left half-made. Only for the one window that installs. */
export async function removeHalfMade(storage: string): Promise<void> {
  await remove(storage, async (name) => name.endsWith(".new"));
}

/** Removes earlier environments that no process uses. */
export async function removeOlder(storage: string, folder: string): Promise<void> {
  const ours = await madeAt(folder);
  await remove(storage, async (name) => {
    const other = path.join(storage, name);
    // A window that still runs an older version of the extension must not remove what a newer one made.
    return other !== folder && !name.endsWith(".new") && (await madeAt(other)) <= ours && !(await isUsed(other));
  });
}

async function remove(storage: string, isUnwanted: (name: string) => Promise<boolean>): Promise<void> {
  for (const name of await fs.readdir(storage).catch(() => [] as string[])) {
    if (name.startsWith("server-") && (await isUnwanted(name))) {
      // What cannot be removed now (Windows: an open file) is removed at a later start.
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
    return pid > 0 && process.kill(pid, 0); // signal 0 asks only
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // it is there, and another user's
  }
}

async function madeAt(folder: string): Promise<number> {
  return fs.stat(path.join(folder, MARK)).then(({ mtimeMs }) => mtimeMs, () => 0);
}

async function exists(file: string): Promise<boolean> {
  return fs.access(file).then(() => true, () => false);
}
