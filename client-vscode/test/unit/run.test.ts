import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../src/run";

test("what a program says and its exit code come back, of much output the end", async () => {
  assert.deepEqual(await run(["sh", "-c", "echo out; echo err >&2; exit 3"], { timeoutMs: 10_000 }), {
    code: 3,
    output: "out\nerr\n",
  });
  const { output } = await run(["sh", "-c", "yes 0123456 | head -c 200000; echo; echo the end"], { timeoutMs: 10_000 });
  assert.equal(output.length, 64 * 1024);
  assert.ok(output.endsWith("the end\n"));
});

test("a program that is not there has no code, and the reason", async () => {
  const { code, output } = await run(["/nonexistent/program"], { timeoutMs: 10_000 });
  assert.equal(code, null);
  assert.match(output, /ENOENT/);
});

for (const how of ["given up", "too slow"] as const) {
  test(`a program that is ${how} ends with the programs that it started`, { timeout: 10_000 }, async () => {
    const abort = new AbortController();
    const begun = (text: string): void => {
      if (text.includes("begun") && how === "given up") {
        abort.abort();
      }
    };
    // Its child would hold the output open for a minute.
    const { code } = await run(["sh", "-c", "sleep 60 & echo begun; wait"], {
      timeoutMs: how === "too slow" ? 300 : 60_000,
      signal: abort.signal,
      onOutput: begun,
    });
    assert.equal(code, null);
  });
}

test("nothing is started for one who gave up before", async () => {
  assert.deepEqual(await run(["sh", "-c", "exit 0"], { timeoutMs: 10_000, signal: AbortSignal.abort() }), {
    code: null,
    output: "cancelled",
  });
});
