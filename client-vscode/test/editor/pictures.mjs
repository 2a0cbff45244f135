// Takes the pictures of the READMEs from a real editor: run.sh KATO.vsix --pictures.

import path from "node:path";
import { promises as fs } from "node:fs";
import { Editor, says, until } from "./harness.mjs";

const media = path.resolve(import.meta.dirname, "../../media");
const editor = await Editor.start();
try {
  await editor.open({ width: 1200, height: 680 });
  await until(async () => /MB/.test(await editor.statusBar.innerText()), "the server", 100);
  const talks = [
    [
      "codex",
      "build",
      "Why does the linker run twice?",
      "The second run comes from the `check` target, which depends on the binary.",
      "gpt-5-codex",
    ],
    [
      "gemini",
      "sql",
      "Explain WAL checkpoints in SQLite",
      "A checkpoint copies pages from the write-ahead log into the database file.",
      "gemini-3-pro",
    ],
    [
      "copilot",
      "types",
      "Make this function generic over its key",
      "Here is the signature with a type parameter.",
      "gpt-5",
    ],
    [
      "claude",
      "retry",
      "Add retries with backoff to the uploader",
      "I added exponential backoff with jitter, capped at 30 s.",
      "claude-sonnet-5",
    ],
  ];
  for (const [provider, id, question, reply, model] of talks) {
    const one = says(provider, id);
    await editor.append(provider, id, [
      one.user(question),
      one.assistant(reply, model),
      one.assistant("x".repeat(40_000), model),
    ]);
  }
  const main = says("claude", "trees");
  await editor.append("claude", "trees", [
    main.user("How does a B-tree split a full page?"),
    main.assistant(
      "The page's **median key moves up** into the parent, and the keys on either side become two pages:\n\n```python\ndef split(page):\n    middle = len(page.keys) // 2\n    left, right = page.keys[:middle], page.keys[middle + 1:]\n    return left, page.keys[middle], right\n```\n\nBoth halves stay at least half full, so lookups stay logarithmic.",
    ),
    main.user("Good, keep this one.\n::capture notes/b-trees.md"),
  ]);
  const { width, height } = editor.page.viewportSize();
  await until(async () => {
    if (!(await editor.rows("How does a B-tree").isVisible()))
      await editor.page.locator('.activitybar .action-item a[aria-label^="Kato"]').click({ force: true });
    return editor.rows("How does a B-tree").isVisible();
  }, "the view");
  await until(() => editor.outcomeItem.isVisible(), "the outcome");
  await editor.outcomeItem.click();
  await until(async () => (await editor.call("activeEditor"))?.path.endsWith("b-trees.md"), "the note");
  // The side bar's edge, drawn to the right: rows in full.
  const sidebar = await editor.page.locator(".part.sidebar").boundingBox();
  const edge = sidebar.x + sidebar.width;
  await editor.page.mouse.move(edge + 1, 300);
  await editor.page.mouse.down();
  await editor.page.mouse.move(edge + 130, 300, { steps: 5 });
  await editor.page.mouse.up();
  await editor.page.mouse.move(700, 500);
  const shoot = async (name, clip) => {
    await editor.screenshot(name, clip && { clip });
    await fs.copyFile(path.join(process.env.KATO_RESULTS, `${name}.png`), path.join(media, `${name}.png`));
  };
  await shoot("walkthrough-sessions");
  await editor.statusBar.hover();
  await until(
    async () => /Snapshots/.test(await editor.page.locator(".monaco-hover:visible").innerText()),
    "the tooltip",
  );
  await shoot("status-bar", { x: width - 620, y: height - 270, width: 620, height: 270 });
  await editor.page.mouse.move(700, 300);
  await editor.palette("Kato: Capture Conversation");
  await until(async () => (await editor.picks.count()) >= 5, "the conversations");
  await editor.page.mouse.move(700, 600);
  await until(async () => (await editor.page.locator(".monaco-hover:visible").count()) === 0, "the end of the hover");
  await shoot("walkthrough-capture", { x: 200, y: 0, width: 800, height: 400 });
  await editor.page.keyboard.press("Escape");
  await editor.palette("Kato: Show Memory");
  for (let index = 0; index < 30; index++) {
    const many = says("claude", `long-${index % 6}`);
    await editor.append("claude", `long-${index % 6}`, [
      many.user(`Refactor module ${index % 6}`),
      ...Array.from({ length: 12 }, () => many.assistant("y".repeat(90_000))),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 700)); // the chart is one of time
  }
  await until(async () => (await editor.webview().locator("#sessions tr").count()) >= 6, "the table");
  await shoot("walkthrough-memory");
} finally {
  await editor.end();
}
