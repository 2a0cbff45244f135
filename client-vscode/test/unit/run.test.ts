import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../src/run";

test("a program's output and its exit code are returned, and only the end of long output", async () => {
  assert.deepEqual(await run(["sh", "-c", "echo out; echo err >&2; exit 3"], { timeoutMs: 10_000 }), {
    code: 3,
    output: "out\nerr\n",
  });
  const { output } = await run(["sh", "-c", "yes 0123456 | head -c 200000; echo; echo the end"], { timeoutMs: 10_000 });
  assert.equal(output.length, 64 * 1024);
  assert.ok(output.endsWith("the end\n"));
});

test("a program that does not exist has no code, and the reason as its output", async () => {
  const { code, output } = await run(["/nonexistent/program"], { timeoutMs: 10_000 });
  assert.equal(code, null);
  assert.match(output, /ENOENT/);
});

for (const how of ["cancelled", "too slow"] as const) {
  test(`a program that is ${how} is killed with the programs that it started`, { timeout: 10_000 }, async () => {
    const abort = new AbortController();
    const begun = (text: string): void => {
      if (text.includes("begun") && how === "cancelled") {
        abort.abort();
      }
    };
    // Its child would keep the output open for a minute.
    const { code } = await run(["sh", "-c", "sleep 60 & echo begun; wait"], {
      timeoutMs: how === "too slow" ? 300 : 60_000,
      signal: abort.signal,
      onOutput: begun,
    });
    assert.equal(code, null);
  });
}

test("a command that was cancelled before its start is not started", async () => {
  assert.deepEqual(await run(["sh", "-c", "exit 0"], { timeoutMs: 10_000, signal: AbortSignal.abort() }), {
    code: null,
    output: "cancelled",
  });
});
