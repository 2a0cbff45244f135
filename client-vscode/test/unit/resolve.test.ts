import assert from "node:assert/strict";
import { test } from "node:test";
import {
  installFailure,
  isCompatible,
  isPythonNewEnough,
  parseVersion,
  pauseBeforeRestart,
  pythonOf,
} from "../../src/resolve";

for (const [found, wanted, fits] of [
  ["kato 0.1.0", "0.1.0", true],
  ["kato 0.1.7", "0.1.2", true],
  ["kato 0.1.1", "0.1.2", false],
  ["kato 0.2.0", "0.1.0", false],
  ["kato 1.4.0", "1.2.9", true],
  ["kato 2.0.0", "1.2.0", false],
  ["command not found", "0.1.0", false],
] as const) {
  test(`a server of version ${found} is ${fits ? "" : "not "}compatible with ${wanted}`, () => {
    assert.equal(isCompatible(parseVersion(found), parseVersion(wanted) ?? assert.fail()), fits);
  });
}

test("the server needs Python 3.10 or newer", () => {
  assert.deepEqual(
    ["3.9.18", "3.10.0", "3.14.2", "2.7.18", "4.0.0"].map((text) => isPythonNewEnough(parseVersion(text))),
    [false, true, true, false, true],
  );
});

test("an environment has its Python where the platform puts it", () => {
  assert.equal(pythonOf("/s/server", "linux"), "/s/server/bin/python");
  assert.equal(pythonOf("C:\\s\\server", "win32"), "C:\\s\\server\\Scripts\\python.exe");
});

for (const [output, kind] of [
  ["The virtual environment was not created successfully because ensurepip is not available.", "noVenv"],
  ["ERROR: No matching distribution found for orjson>=3.10", "network"],
  ["error: Failed to fetch: `https://example.org/simple/orjson/`", "network"],
  ["cause: Because msgspec==0.22.0 has no wheels with a matching platform tag", "network"],
  ["OSError: [Errno 28] No space left on device", "noSpace"],
  ["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "hashes"],
  ["error: Hash mismatch for `attrs==26.1.0`", "hashes"],
  ["Segmentation fault", "other"],
] as const) {
  test(`an installer that prints “${output.slice(0, 40)}…” failed for: ${kind}`, () => {
    assert.equal(installFailure(output), kind);
  });
}

test("a server that crashes again and again is started with growing pauses, then not any more; old crashes do not count", () => {
  const now = 1_000_000_000;
  const pauses = [1, 2, 3, 4, 5].map((crashes) => pauseBeforeRestart(Array<number>(crashes).fill(now), now));
  assert.deepEqual(pauses, [250, 500, 1000, 2000, undefined]);
  assert.equal(pauseBeforeRestart([...Array<number>(9).fill(now - 10 * 60_000), now], now), 250);
});
