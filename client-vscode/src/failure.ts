// Why the server does not run, for those who offer a remedy.

import type { SettingFault } from "./protocol";
import type { SetupError } from "./setupError";

export type Failure =
  /** There is no server that can be started. */
  | { kind: "setup"; error: SetupError }
  /** The server rejected its settings; `fault` names the setting, if the server did. */
  | { kind: "settings"; fault?: SettingFault }
  /** The server ended unexpectedly, too often. */
  | { kind: "crash"; reason: string }
  /** A conversation outgrew the memory limit. */
  | { kind: "budget"; reason: string };
