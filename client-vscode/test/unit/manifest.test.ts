// What package.json and the README show before a user has done anything.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { manifest, properties } from "./manifest";

const { configuration, keybindings, viewsWelcome, walkthroughs } = manifest.contributes;
const steps = walkthroughs.flatMap((walkthrough) => walkthrough.steps);

test("texts of the walkthrough and of the empty view have no markup that these places show as it is", () => {
  const walkthrough = [...walkthroughs, ...steps].map(({ description }) => description);
  const welcome = viewsWelcome.map(({ contents }) => contents);
  assert.deepEqual(
    walkthrough.filter((text) => text.includes("`")),
    [],
  );
  assert.deepEqual(
    welcome.filter((text) => /[`*_]/.test(text)), // an empty view knows links alone
    [],
  );
});

test("each step of the walkthrough has a picture for each kind of theme, and says what it shows", () => {
  for (const { media } of steps) {
    assert.deepEqual(Object.keys(media.image).sort(), ["dark", "hc", "hcLight", "light"]);
    Object.values(media.image).forEach((file) => assert.ok(existsSync(file), file));
    assert.ok(media.altText.length > 20);
    assert.notEqual(media.image.dark, media.image.light);
  }
});

for (const [readme, least] of [
  ["README.md", 3],
  ["../README.md", 1],
] as const) {
  test(`the pictures of ${readme} exist, and say what they show`, () => {
    const text = readFileSync(readme, "utf8");
    const pictures = [
      ...Array.from(text.matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g), ([, about = "", file = ""]) => ({ about, file })),
      ...Array.from(text.matchAll(/<img src="([^"]*)" width="\d+" alt="([^"]*)">/g), ([, file = "", about = ""]) => ({
        about,
        file,
      })),
    ];
    assert.ok(pictures.length >= least);
    assert.equal(pictures.length, text.match(/!\[|<img/g)?.length, "each is one of these");
    for (const { about, file } of pictures) {
      assert.ok(existsSync(path.join(path.dirname(readme), file)), file);
      assert.ok(about.length > 15, file);
    }
  });
}

test("a keybinding is a chord that applies only while Kato is active: single keys are taken by other extensions", () => {
  for (const { key, mac, when } of keybindings) {
    assert.deepEqual([key.split(" ").length, mac.split(" ").length], [2, 2]);
    assert.match(when ?? "", /kato\.serverState/);
  }
});

test("settings have categories, each with an order of its own", () => {
  assert.ok(configuration.length >= 4);
  for (const { title, properties: own } of configuration) {
    const orders = Object.values(own).map(({ order }) => order);
    assert.deepEqual(
      orders,
      orders.map((_, index) => index + 1),
      title,
    );
  }
  assert.deepEqual(Object.keys(configuration[0]?.properties ?? {}).slice(0, 2), [
    "kato.notes.directory",
    "kato.notes.fileName",
  ]);
});

test("the memory limit's description says from which limit on it applies to the whole process", () => {
  assert.match(
    String(properties["kato.daemonMaxMemoryMb"]?.markdownDescription),
    /a limit below about 100 MB applies only/,
  );
});

test("the view has a text with remedies for each reason why the server is stopped", () => {
  for (const cause of ["python", "setup", "command", "settings", "crash"]) {
    const found = viewsWelcome.filter(({ when }) => when.endsWith(`kato.stopCause == ${cause}`));
    assert.equal(found.length, 1, cause);
    assert.match(found[0]?.contents ?? "", /is stopped: .+\n\[.+\]\(command:/);
  }
});
