// What the user is shown of a notice of the server: by its kind and data, never by its text. Pure.

import type { Notice } from "./protocol";
import { forUsers } from "./settings";

/** What can be done about a notice, by the name of the button. */
export type Remedy =
  "Recreate" | "Stop Recording" | "Open Backup" | "Raise Limit…" | "Open Settings" | "Restart Now" | "Show Log";

export interface Shown {
  message: string;
  severity: Notice["severity"];
  remedies: Remedy[];
}

const REMEDIES: Partial<Record<string, Remedy[]>> = {
  note_missing: ["Recreate", "Stop Recording"],
  text_backed_up: ["Open Backup"],
  limit_not_kept: ["Raise Limit…"],
  settings_rejected: ["Open Settings"],
  restart_needed: ["Restart Now"],
};

/** Shown elsewhere, with their remedies: a failed command with its outcome, the end of the process when it ends. */
const SHOWN_ELSEWHERE = new Set(["command_failed", "over_budget"]);

/** What is shown of a notice, undefined for what is shown elsewhere. `relative` names a file as the user does. */
export function shown(notice: Notice, relative: (path: string) => string): Shown | undefined {
  if (SHOWN_ELSEWHERE.has(notice.kind)) {
    return undefined;
  }
  const remedies = REMEDIES[notice.kind] ?? (notice.severity === "error" ? ["Show Log" as const] : []);
  return { message: message(notice, relative), severity: notice.severity, remedies };
}

function message({ kind, message, data }: Notice, relative: (path: string) => string): string {
  const path = text(data?.path);
  if (kind === "note_missing" && path !== undefined) {
    return `Kato: recording is paused, because ${relative(path)} is gone.`;
  }
  if (kind === "text_backed_up" && path !== undefined) {
    return `Kato: ${relative(path)} held text that Kato had not written; a copy was kept.`;
  }
  const named = withRelative(message, path, relative);
  return named.startsWith("Kato") ? forUsers(named) : `Kato: ${named}`;
}

/** A sentence of the server with a file named as the user does: VS Code cuts a long message after its first line. */
export function withRelative(message: string, path: string | undefined, relative: (path: string) => string): string {
  return path === undefined ? message : message.replaceAll(path, relative(path));
}

/** A text in a notice's data. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
