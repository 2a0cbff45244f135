// Why the server does not run: for those who offer a remedy, and as a sentence for the user. Pure.

import type { StopCause } from "./life";
import type { SettingFault } from "./protocol";
import { rejection } from "./settings";
import type { SetupError } from "./setupError";

export type Failure =
  /** No server could be found, installed or started. */
  | { kind: "setup"; error: SetupError }
  /** The server rejected its settings. `fault` describes the rejected setting, if the server named it. */
  | { kind: "settings"; fault?: SettingFault }
  /** The server ended unexpectedly, too often: `how` it ended the last time. */
  | { kind: "crash"; times: number; how: string }
  /** A conversation outgrew the memory limit. */
  | { kind: "budget"; reason: string };

/** The failure as a sentence. */
export function sentence(failure: Failure): string {
  switch (failure.kind) {
    case "setup":
      return failure.error.message;
    case "settings": {
      const { fault } = failure;
      const reason = fault === undefined ? "its settings are invalid, and the log names the setting" : rejection(fault);
      return `Kato's server does not start: ${reason}.`;
    }
    case "crash":
      return `Kato's server ended unexpectedly ${failure.times} times, the last time with ${failure.how}.`;
    case "budget":
      return failure.reason;
  }
}

const CAUSES = { python: "python", retry: "setup", settings: "command" } as const;

/** What a view shows a text for; undefined for a state of its own. */
export function causeOf(failure: Failure): StopCause | undefined {
  switch (failure.kind) {
    case "setup":
      return CAUSES[failure.error.cure];
    case "budget":
      return undefined;
    default:
      return failure.kind;
  }
}
