import assert from "node:assert/strict";
import { test } from "node:test";
import { glyph, letters } from "../../src/glyphs";

const PLAIN = { isRecording: false, isDeleted: false, isSubAgent: false };

for (const [name, expected] of [
  ["Claude Code", "CC"],
  ["Codex", "Cd"],
  ["Copilot", "Cp"],
  ["Gemini", "Gm"],
  ["my-assistant", "MA"],
  ["o3", "O3"],
  ["Ä", "Ä"],
  ["", "?"],
] as const) {
  test(`the letters of ${name || "nothing"} are ${expected}`, () => {
    assert.equal(letters(name), expected);
  });
}

test("an icon is another one for each assistant, theme and state", () => {
  const icons = [
    glyph("claude", "Claude Code", "light", PLAIN),
    glyph("claude", "Claude Code", "dark", PLAIN),
    glyph("codex", "Codex", "dark", PLAIN),
    ...(["isRecording", "isDeleted", "isSubAgent"] as const).map((state) =>
      glyph("claude", "Claude Code", "dark", { ...PLAIN, [state]: true }),
    ),
  ];
  assert.equal(new Set(icons).size, icons.length);
});

test("the built-in assistants have letters that differ, whatever names the server gives", () => {
  const shown = ["claude", "codex", "gemini", "copilot"].map(
    (provider) => />(\w+)<\/text>/.exec(glyph(provider, "GitHub Chat", "dark", PLAIN))?.[1],
  );
  assert.deepEqual(shown, ["CC", "Cd", "Ge", "Co"]);
});

test("a name cannot end the icon's text", () => {
  assert.ok(!glyph("x", "<x> &y", "dark", PLAIN).includes("<x>"));
});
