// What a notice of the server shows to the user: chosen by its kind and its data, never by its text. Pure.

import { NoticeKind, settingFault } from "./protocol";
import { rejection } from "./settings";
import type { Notice } from "./structs";
import { cut, megabytes, tenths } from "./text";

/** The letters of a conversation's title in a message. */
const NAME_CHARS_MAX = 40;

/** What can be done about a notice, by the name of the button. */
export type Remedy =
  | "Recreate"
  | "Stop Recording"
  | "Open Backup"
  | "Compare"
  | "Open Note"
  | "Raise Limit…"
  | "Open Settings"
  | "Restart Now"
  | "Show Log";

export interface Shown {
  message: string;
  severity: Notice["severity"];
  remedies: Remedy[];
}

/** Gives a file the name that the user knows. */
export type NameFile = (path: string) => string;

type Data = Record<string, unknown>;

type Words = (data: Data, name: NameFile) => string | undefined;

/** How a kind is shown: its words, where the data allow better ones than the server's, and its remedies. */
interface Kind {
  words?: Words;
  remedies: Remedy[];
}

const KINDS: Partial<Record<string, Kind>> = {
  [NoticeKind.noteMissing]: {
    words: onNote((note) => `Kato paused the recording to ${note}: the note is gone.`),
    remedies: ["Recreate", "Stop Recording"],
  },
  [NoticeKind.textBackedUp]: {
    words: onNote((note, data) =>
      data.sessionId === undefined
        ? `${note} held other text. Kato replaced it, and kept a copy.`
        : `${note} held another conversation. Kato replaced it, and kept a copy.`,
    ),
    remedies: ["Open Backup", "Compare"],
  },
  [NoticeKind.recordingPaused]: {
    words: onNote((note, data, name) => {
      const reason = text(data.reason);
      return reason === undefined
        ? undefined
        : `Kato paused the recording to ${note}: ${withRelative(reason, text(data.path), name)}. It tries again by itself.`;
    }),
    remedies: ["Stop Recording", "Show Log"],
  },
  [NoticeKind.recordingResumed]: { words: onNote((note) => `The recording to ${note} goes on.`), remedies: [] },
  [NoticeKind.recordingStopped]: { remedies: ["Open Backup", "Compare"] },
  [NoticeKind.noteRepaired]: { remedies: ["Open Note"] },
  [NoticeKind.limitNotKept]: { words: limitNotKept, remedies: ["Raise Limit…"] },
  [NoticeKind.settingsRejected]: {
    words: (data) => {
      const fault = settingFault(data);
      return fault && `Kato ignored the change: ${rejection(fault)}.`;
    },
    remedies: ["Open Settings"],
  },
  [NoticeKind.restartNeeded]: {
    words: ({ keys }) =>
      Array.isArray(keys)
        ? `Changes of ${keys.map((key) => `kato.${String(key)}`).join(" and ")} take effect when Kato's server restarts.`
        : undefined,
    remedies: ["Restart Now"],
  },
  [NoticeKind.journalLost]: { remedies: ["Restart Now", "Show Log"] },
  [NoticeKind.journalRecovered]: { remedies: ["Show Log"] },
};

/** The data that a remedy needs. */
const NEEDS: Partial<Record<Remedy, string[]>> = {
  Recreate: ["path", "provider", "sessionId"],
  "Stop Recording": ["provider", "sessionId"],
  "Open Backup": ["backupPath"],
  Compare: ["backupPath", "path"],
  "Open Note": ["path"],
};

/** Kinds that are shown elsewhere with their remedies: a failed command with its outcome, the end of the process when it ends. */
const SHOWN_ELSEWHERE = new Set<string>([NoticeKind.commandFailed, NoticeKind.overBudget]);

/** Kinds about a conversation: they belong to the window in which the user is. The others belong to the window's own process. */
const ABOUT_CONVERSATIONS = new Set<string>([
  NoticeKind.noteMissing,
  NoticeKind.textBackedUp,
  NoticeKind.recordingPaused,
  NoticeKind.recordingResumed,
  NoticeKind.recordingStopped,
  NoticeKind.noteRepaired,
  NoticeKind.commandNotRun,
]);

export function isAboutConversation({ kind }: Notice): boolean {
  return ABOUT_CONVERSATIONS.has(kind);
}

/** What a notice shows; undefined if it is shown elsewhere. */
export function shown(notice: Notice, name: NameFile): Shown | undefined {
  if (SHOWN_ELSEWHERE.has(notice.kind)) {
    return undefined;
  }
  const data = notice.data ?? {};
  const kind = KINDS[notice.kind] ?? { remedies: notice.severity === "error" ? ["Show Log"] : [] };
  return {
    message: kind.words?.(data, name) ?? withRelative(notice.message, text(data.path), name),
    severity: notice.severity,
    remedies: kind.remedies.filter((remedy) => NEEDS[remedy]?.every((key) => text(data[key]) !== undefined) ?? true),
  };
}

/** Why a process over its budget ended, as a sentence that names the conversation. */
export function overBudgetReason({ message, data = {} }: Notice): string {
  const { title, sessionId, neededBytes, budgetBytes } = data;
  const name = text(title) ?? text(sessionId);
  return name === undefined || typeof neededBytes !== "number" || typeof budgetBytes !== "number"
    ? message
    : `The conversation “${cut(name, NAME_CHARS_MAX)}” needs ${tenths(neededBytes)} MB of memory; the limit leaves ${tenths(budgetBytes)} MB.`;
}

function limitNotKept({ limitBytes, smallestLimitBytes }: Data): string | undefined {
  return typeof limitBytes === "number" && typeof smallestLimitBytes === "number"
    ? `Kato's process needs more than ${megabytes(limitBytes)} MB. The limit applies to the conversations in memory alone; from ${megabytes(smallestLimitBytes)} MB on, it applies to the whole process.`
    : undefined;
}

/** Words about the note in the data. */
function onNote(words: (note: string, data: Data, name: NameFile) => string | undefined): Words {
  return (data, name) => {
    const path = text(data.path);
    return path === undefined ? undefined : words(name(path), data, name);
  };
}

/** A message of the server with a short name for the file in it: VS Code cuts a long message after its first line. */
export function withRelative(message: string, path: string | undefined, name: NameFile): string {
  return path === undefined ? message : message.replaceAll(path, name(path));
}

/** A text in a notice's data; undefined for any other value. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
