// The user's settings as the server wants them. Rule: only what the user set is sent, so that a default of the editor never
// overrides the environment or the configuration file; what only the client knows is never sent (the server refuses it).

export type Values = Record<string, unknown>;

/** The name that `notes.directory` had. */
export const OLD_DIRECTORY = "captureDirectory";

const CLIENT_KEYS = new Set(["server.command", "server.python", OLD_DIRECTORY]);

/** The values of a key that `WorkspaceConfiguration.inspect` gives. */
export interface Inspected {
  defaultValue?: unknown;
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

/** The settings with the old name of `notes.directory` taken for the new one, unless that is set. */
export function renamed(values: Values, inspectOld: Inspected | undefined): Values {
  const old = inspectOld?.workspaceFolderValue ?? inspectOld?.workspaceValue ?? inspectOld?.globalValue;
  return typeof old !== "string" || "notes.directory" in values ? values : { ...values, "notes.directory": notesDirectory(old) };
}

/** The server's keys among the extension's settings (`kato.` taken off). */
export function serverKeys(contributed: readonly string[]): string[] {
  return contributed.map((name) => name.replace(/^kato\./, "")).filter((name) => !CLIENT_KEYS.has(name));
}

/** What the user set, strongest layer first. Empty texts, lists and objects mean "not set". */
export function chosen(keys: readonly string[], inspect: (key: string) => Inspected | undefined): Values {
  const values: Values = {};
  for (const key of keys) {
    const found = inspect(key);
    const layers = [found?.workspaceFolderValue, found?.workspaceValue, found?.globalValue];
    // What the user allowed once stays allowed in a workspace that allows more.
    const value = key === "allowedWriteRoots" ? layers.filter(Array.isArray).flat() : layers.find((layer) => layer !== undefined && layer !== null);
    if (value !== undefined && value !== null && !isEmpty(value)) {
      values[key] = value;
    }
  }
  return values;
}

/**
 * A live change. The server lays it over what it was started with: a key that was taken back is sent with its default,
 * and where there is none to send the server has to be restarted. (The server itself reports keys that count only
 * at the start.)
 */
export function change(started: Values, now: Values, defaults: Values): { settings: Values; restart: boolean } {
  const settings: Values = { ...now };
  let restart = false;
  for (const key of Object.keys(started)) {
    if (key in now) {
      continue;
    }
    if (defaults[key] === undefined || isEmpty(defaults[key])) {
      restart = true;
    } else {
      settings[key] = defaults[key];
    }
  }
  return { settings, restart };
}

/** `kato.captureDirectory`, the old setting, as `kato.notes.directory`: empty meant the folder, relative was below it. */
export function notesDirectory(old: string): string {
  const text = old.trim();
  if (/^(\$\{workspaceFolder\}|~)?($|[\\/])|^[A-Za-z]:[\\/]/.test(text) && text !== "") {
    return text;
  }
  return text === "" ? "${workspaceFolder}" : `\${workspaceFolder}/${text}`;
}

/** Whether a user's text is a memory limit, in the range that the setting has. */
export function isLimit(text: string): boolean {
  return /^[1-9]\d{0,6}$/.test(text.trim()) && Number(text) <= 1_000_000;
}

/** What the server says of a wrong setting: to the user of an editor it does not matter how settings were handed over. */
export function forUsers(message: string): string {
  return message.replace(" (initializationOptions):", "").replace(" (didChangeConfiguration):", "");
}

function isEmpty(value: unknown): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}
