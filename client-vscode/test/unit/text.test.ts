import assert from "node:assert/strict";
import { test } from "node:test";
import { age, bytes } from "../../src/text";

test("sizes and ages are rounded for people", () => {
  assert.deepEqual([0, 1023, 1024, 34 * 1024, 5.6 * 2 ** 20, 200 * 2 ** 20].map(bytes), [
    "0 B",
    "1023 B",
    "1.0 kB",
    "34 kB",
    "5.6 MB",
    "200 MB",
  ]);
  const now = Date.parse("2026-03-20T10:00:00Z");
  const moments = [
    "2026-03-20T09:59:40Z",
    "2026-03-20T09:55:00Z",
    "2026-03-20T07:00:00Z",
    "2026-03-19T09:00:00Z",
    "2026-03-15T10:00:00Z",
    "2026-01-01T00:00:00Z",
    undefined,
  ];
  assert.deepEqual(
    moments.map((moment) => age(moment, now)),
    ["just now", "5 min", "3 h", "1 day", "5 days", "2026-01-01", ""],
  );
});
