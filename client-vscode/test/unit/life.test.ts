import assert from "node:assert/strict";
import { test } from "node:test";
import { after, Life, LifeEvent, shownAs } from "../../src/life";

const STATES = Object.values(Life);
const EVENTS = Object.values(LifeEvent);

/** The states that events lead through, from a stopped server. Fails at an event without effect. */
function lived(...events: LifeEvent[]): Life[] {
  const states: Life[] = [];
  let now = Life.Stopped;
  for (const event of events) {
    now = after(now, event) ?? assert.fail(`${event} has no effect in ${now}`);
    states.push(now);
  }
  return states;
}

test("a start leads from stopped over preparing and starting to running", () => {
  const states = lived(LifeEvent.Start, LifeEvent.Found, LifeEvent.Ready);
  assert.deepEqual(states, [Life.Preparing, Life.Starting, Life.Running]);
});

test("a server that cannot be found leads back to stopped, and can be started again", () => {
  assert.equal(lived(LifeEvent.Start, LifeEvent.Fail, LifeEvent.Start).at(-1), Life.Preparing);
});

test("a crash leads to the next start, from a server that runs as from one that starts", () => {
  const crashed = [LifeEvent.Crash, LifeEvent.Start];
  assert.equal(lived(LifeEvent.Start, LifeEvent.Found, LifeEvent.Ready, ...crashed).at(-1), Life.Preparing);
  assert.equal(lived(LifeEvent.Start, LifeEvent.Found, ...crashed).at(-1), Life.Preparing);
});

test("rejected settings lead to stopped once the answer that names the setting was read", () => {
  const states = lived(LifeEvent.Start, LifeEvent.Found, LifeEvent.Refuse, LifeEvent.Fail);
  assert.deepEqual(states.slice(-2), [Life.Refused, Life.Stopped]);
});

test("an exceeded budget is final until a start, and its reason is read first", () => {
  const states = lived(LifeEvent.Start, LifeEvent.Found, LifeEvent.Ready, LifeEvent.Exceed, LifeEvent.Explain);
  assert.deepEqual(states.slice(-2), [Life.Exceeded, Life.OverBudget]);
  const leaving = EVENTS.filter((event) => after(Life.OverBudget, event) !== undefined);
  assert.deepEqual(leaving, [LifeEvent.Start, LifeEvent.Close]);
});

test("a stopped server is left only by a start, or by the end of the window", () => {
  const leaving = EVENTS.filter((event) => after(Life.Stopped, event) !== undefined);
  assert.deepEqual(leaving, [LifeEvent.Start, LifeEvent.Close]);
});

test("a start in progress is not started a second time", () => {
  for (const life of [Life.Preparing, Life.Starting, Life.Refused]) {
    assert.equal(after(life, LifeEvent.Start), undefined, life);
  }
});

test("a window can close in every state, and nothing follows", () => {
  for (const life of STATES.filter((one) => one !== Life.Closed)) {
    assert.equal(after(life, LifeEvent.Close), Life.Closed, life);
  }
  assert.deepEqual(
    EVENTS.filter((event) => after(Life.Closed, event) !== undefined),
    [],
  );
});

test("every state can be reached", () => {
  const reached = new Set([Life.Stopped]);
  for (const life of reached) {
    EVENTS.map((event) => after(life, event)).forEach((next) => next !== undefined && reached.add(next));
  }
  assert.deepEqual([...reached].sort(), [...STATES].sort());
});

for (const [life, shown] of [
  [Life.Stopped, "stopped"],
  [Life.Preparing, "starting"],
  [Life.Starting, "starting"],
  [Life.Running, "running"],
  [Life.Refused, "starting"],
  [Life.Pausing, "starting"],
  [Life.Exceeded, "overBudget"],
  [Life.OverBudget, "overBudget"],
] as const) {
  test(`a server that is ${life} is shown as ${shown}`, () => {
    assert.equal(shownAs(life), shown);
  });
}
