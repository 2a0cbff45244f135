// Session logs as the assistants write them, for tests in which nothing was recorded yet.

import { promises as fs } from "node:fs";
import path from "node:path";

/** A log of Claude Code: the user's and the assistant's messages in turns, a second apart, that ended some hours ago. */
export async function claudeLog(editor, id, messages, { hours = 1, cwd = editor.workspace, title } = {}) {
  const sessionId = `00000000-0000-4000-8000-${Buffer.from(id).toString("hex").padStart(12, "0").slice(-12)}`;
  const end = Date.now() - hours * 3_600_000;
  const start = end - messages.length * 1000;
  let parentUuid = null;
  const lines = messages.map((content, index) => {
    const uuid = `${sessionId}-${index}`;
    const base = {
      parentUuid,
      isSidechain: false,
      userType: "external",
      cwd,
      sessionId,
      version: "2.1.150",
      gitBranch: "main",
      uuid,
      timestamp: new Date(start + index * 1000).toISOString(),
    };
    parentUuid = uuid;
    return index % 2 === 0
      ? { ...base, type: "user", message: { role: "user", content } }
      : {
          ...base,
          type: "assistant",
          requestId: `req-${id}-${index}`,
          message: {
            id: `msg-${id}-${index}`,
            type: "message",
            role: "assistant",
            model: "claude-sonnet-5",
            content: [{ type: "text", text: content }],
            stop_reason: "end_turn",
          },
        };
  });
  if (title !== undefined) lines.push({ type: "ai-title", aiTitle: title, sessionId });
  const folder = path.join(editor.root, "home/.claude/projects", cwd.replaceAll(/[^A-Za-z0-9]/g, "-"));
  const file = path.join(folder, `${sessionId}.jsonl`);
  await fs.mkdir(folder, { recursive: true });
  await fs.writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await fs.utimes(file, end / 1000, end / 1000);
  return { file, sessionId };
}
