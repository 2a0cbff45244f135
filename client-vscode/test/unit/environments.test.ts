import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { alone } from "../../src/alone";
import { distrust, isWhole, putInPlace, removeHalfMade, removeOlder, use } from "../../src/environments";

let storage: string;
const never = new AbortController().signal;

beforeEach(() => {
  storage = mkdtempSync(path.join(tmpdir(), "kato-storage-"));
});
afterEach(() => rmSync(storage, { recursive: true }));

async function environment(name: string, madeAt: number): Promise<string> {
  const [made, folder] = [path.join(storage, `${name}.1.new`), path.join(storage, name)];
  mkdirSync(path.join(made, "bin"), { recursive: true });
  writeFileSync(path.join(made, "bin", "python"), "");
  await putInPlace(made, folder, "linux");
  utimesSync(path.join(folder, "kato-installed"), madeAt, madeAt);
  return folder;
}

/** The id of a process that has ended. */
function gonePid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

test("an environment is whole when all was installed and its Python is still there", async () => {
  const folder = await environment("server-1", 1);
  assert.equal(await isWhole(folder, "linux"), true);
  rmSync(path.join(folder, "bin", "python"));
  assert.equal(await isWhole(folder, "linux"), false, "the Python it was made from was uninstalled");
  const other = await environment("server-2", 1);
  await distrust(other);
  assert.equal(await isWhole(other, "linux"), false);
  assert.equal(await isWhole(path.join(storage, "server-3"), "linux"), false);
});

test("an upgrade removes the environments before it, and what was left half-made", async () => {
  await environment("server-old", 1);
  mkdirSync(path.join(storage, "server-old.2.new"));
  const now = await environment("server-new", 2);
  await removeHalfMade(storage);
  await removeOlder(storage, now);
  assert.deepEqual(readdirSync(storage), ["server-new"]);
});

test("an older environment from which another window runs its server stays until that window is gone", async () => {
  const old = await environment("server-old", 1);
  const now = await environment("server-new", 2);
  const mark = path.join(old, `used-by-${process.ppid}`);
  writeFileSync(mark, "");
  await removeOlder(storage, now);
  assert.ok(existsSync(old));
  rmSync(mark);
  writeFileSync(path.join(old, `used-by-${gonePid()}`), "");
  await removeOlder(storage, now);
  assert.ok(!existsSync(old));
});

test("a window that still runs the older version leaves the newer environment alone", async () => {
  const old = await environment("server-old", 1);
  const now = await environment("server-new", 2);
  await removeOlder(storage, old);
  assert.ok(existsSync(now));
});

test("the marks of windows that are gone are forgotten", async () => {
  const folder = await environment("server-1", 1);
  writeFileSync(path.join(folder, `used-by-${gonePid()}`), "");
  await use(folder);
  assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith("used-by-")), [`used-by-${process.pid}`]);
});

test("two windows that install at once do it one after the other", async () => {
  const lock = path.join(storage, "installing");
  const order: string[] = [];
  let waits = 0;
  let finish = (): void => assert.fail();
  const first = alone(lock, never, () => assert.fail("nobody is before the first"), async () => {
    order.push("first begins");
    await new Promise<void>((resolve) => (finish = resolve));
    order.push("first ends");
  });
  const second = alone(lock, never, () => ++waits === 2 && finish(), async () => void order.push("second"));
  await Promise.all([first, second]);
  assert.deepEqual(order, ["first begins", "first ends", "second"]);
  assert.ok(!existsSync(lock));
});

test("the lock of a window that was closed over its work holds nobody up", async () => {
  const lock = path.join(storage, "installing");
  mkdirSync(lock);
  const old = Date.now() / 1000 - 60;
  utimesSync(lock, old, old);
  assert.equal(await alone(lock, never, () => undefined, async () => "done"), "done");
});

test("who waits for another window can give up", async () => {
  const lock = path.join(storage, "installing");
  mkdirSync(lock);
  const abort = new AbortController();
  await assert.rejects(alone(lock, abort.signal, () => abort.abort(new Error("cancelled")), async () => assert.fail()), /cancelled/);
  assert.ok(existsSync(lock), "it is the other one's");
});
