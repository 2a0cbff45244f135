// What a notice of the server shows to the user: chosen by its kind and its data, never by its text. Pure.

import { NoticeKind, settingFault } from "./protocol";
import { rejection } from "./settings";
import type { Notice } from "./structs";

/** What can be done about a notice, by the name of the button. */
export type Remedy =
  "Recreate" | "Stop Recording" | "Open Backup" | "Raise Limit…" | "Open Settings" | "Restart Now" | "Show Log";

export interface Shown {
  message: string;
  severity: Notice["severity"];
  remedies: Remedy[];
}

const REMEDIES: Partial<Record<string, Remedy[]>> = {
  [NoticeKind.noteMissing]: ["Recreate", "Stop Recording"],
  [NoticeKind.textBackedUp]: ["Open Backup"],
  [NoticeKind.limitNotKept]: ["Raise Limit…"],
  [NoticeKind.settingsRejected]: ["Open Settings"],
  [NoticeKind.restartNeeded]: ["Restart Now"],
};

/** Kinds that are shown elsewhere with their remedies: a failed command with its outcome, the end of the process when it ends. */
const SHOWN_ELSEWHERE = new Set<string>([NoticeKind.commandFailed, NoticeKind.overBudget]);

/** What a notice shows; undefined if it is shown elsewhere. `relative` gives a file the name that the user knows. */
export function shown(notice: Notice, relative: (path: string) => string): Shown | undefined {
  if (SHOWN_ELSEWHERE.has(notice.kind)) {
    return undefined;
  }
  const remedies = REMEDIES[notice.kind] ?? (notice.severity === "error" ? ["Show Log" as const] : []);
  return { message: messageOf(notice, relative), severity: notice.severity, remedies };
}

function messageOf({ kind, message, data }: Notice, relative: (path: string) => string): string {
  const path = text(data?.path);
  const fault = settingFault(data);
  if (kind === NoticeKind.noteMissing && path !== undefined) {
    return `Kato paused the recording to ${relative(path)}: the note is gone.`;
  }
  if (kind === NoticeKind.textBackedUp && path !== undefined) {
    return `Kato replaced text in ${relative(path)} that it had not written, and kept a copy.`;
  }
  if (kind === NoticeKind.settingsRejected && fault !== undefined) {
    return `${rejection(fault)}. Kato keeps its earlier settings.`;
  }
  return withRelative(message, path, relative);
}

/** A message of the server with a short name for the file in it: VS Code cuts a long message after its first line. */
export function withRelative(message: string, path: string | undefined, relative: (path: string) => string): string {
  return path === undefined ? message : message.replaceAll(path, relative(path));
}

/** A text in a notice's data; undefined for any other value. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
