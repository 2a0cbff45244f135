import assert from "node:assert/strict";
import { test } from "node:test";
import { causeOf, sentence, type Failure } from "../../src/failure";
import { SetupError } from "../../src/setupError";

const FAULT = { key: "markdown.timezone", rule: "must be an IANA time zone", got: "Mars" };

for (const [failure, cause, expected] of [
  [{ kind: "setup", error: new SetupError("No Python.", "python") }, "python", "No Python."],
  [{ kind: "setup", error: new SetupError("No network.", "retry") }, "setup", "No network."],
  [{ kind: "setup", error: new SetupError("Not found.", "settings") }, "command", "Not found."],
  [
    { kind: "settings", fault: FAULT },
    "settings",
    `Kato's server does not start: kato.markdown.timezone must be an IANA time zone; got "Mars".`,
  ],
  [
    { kind: "settings" },
    "settings",
    "Kato's server does not start: its settings are invalid, and the log names the setting.",
  ],
  [
    { kind: "crash", times: 5, how: "exit code 3" },
    "crash",
    "Kato's server ended unexpectedly 5 times, the last time with exit code 3.",
  ],
  [{ kind: "budget", reason: "Too large." }, undefined, "Too large."],
] satisfies [Failure, string | undefined, string][]) {
  test(`a failure of kind ${failure.kind} (${cause ?? "none"}) is a sentence with a cause`, () => {
    assert.deepEqual([sentence(failure), causeOf(failure)], [expected, cause]);
  });
}
