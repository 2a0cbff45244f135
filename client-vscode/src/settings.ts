// The user's settings, as the server takes them. Pure.
//
// Rules: only settings that the user set are sent, so that a default of the editor never overrides the environment or the
// configuration file. Settings of the extension itself are never sent: the server rejects them.

import type { SettingFault } from "./protocol";

export type Values = Record<string, unknown>;

/** The earlier name of `notes.directory`. */
export const OLD_DIRECTORY = "captureDirectory";

const CLIENT_KEYS = new Set(["server.command", "server.python", OLD_DIRECTORY]);

/** What `WorkspaceConfiguration.inspect` returns for a key. */
export interface Inspected {
  defaultValue?: unknown;
  globalValue?: unknown;
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
}

/** A whole number with bounds, as `package.json` declares a setting. */
export interface Bounds {
  minimum: number;
  maximum: number;
}

/** The settings, with the value of the earlier name of `notes.directory` where only that is set. */
export function renamed(values: Values, inspectOld: Inspected | undefined): Values {
  const old = inspectOld?.workspaceFolderValue ?? inspectOld?.workspaceValue ?? inspectOld?.globalValue;
  return typeof old !== "string" || "notes.directory" in values
    ? values
    : { ...values, "notes.directory": notesDirectory(old) };
}

/** A category of settings, as `package.json` contributes them. */
export interface Category<Property> {
  title: string;
  properties: Record<string, Property>;
}

/** The settings of all categories, by their names. */
export function contributed<Property>(categories: readonly Category<Property>[]): Record<string, Property> {
  return Object.fromEntries(categories.flatMap(({ properties }) => Object.entries(properties)));
}

/** The server's settings among those that the extension contributes, without the prefix `kato.`. */
export function serverKeys(names: readonly string[]): string[] {
  return names.map((name) => name.replace(/^kato\./, "")).filter((name) => !CLIENT_KEYS.has(name));
}

/** The settings that the user set, from the strongest layer. An empty text, list or object means "not set". */
export function chosen(keys: readonly string[], inspect: (key: string) => Inspected | undefined): Values {
  const values: Values = {};
  for (const key of keys) {
    const found = inspect(key);
    const layers = [found?.workspaceFolderValue, found?.workspaceValue, found?.globalValue];
    // A folder that the user allowed stays allowed in a workspace that allows others.
    const value: unknown =
      key === "allowedWriteRoots"
        ? layers.filter(Array.isArray).flat()
        : layers.find((layer) => layer !== undefined && layer !== null);
    if (value !== undefined && !isEmpty(value)) {
      values[key] = value;
    }
  }
  return values;
}

/**
 * What to send when a setting changed. The server merges it with the settings that it was started with. So a setting that the
 * user removed is sent with its default; if it has no default to send, the server must be restarted. The server sends a notice
 * (`restart_needed`) when a changed setting takes effect only at its next start.
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

/** The value of `kato.captureDirectory` as one of `kato.notes.directory`: empty meant the workspace's folder, relative paths began there. */
export function notesDirectory(old: string): string {
  const text = old.trim();
  if (/^(\$\{workspaceFolder\}|~)?($|[\\/])|^[A-Za-z]:[\\/]/.test(text) && text !== "") {
    return text;
  }
  return text === "" ? "${workspaceFolder}" : `\${workspaceFolder}/${text}`;
}

/** Whether what the user typed is a whole number within these bounds. */
export function isWithin(text: string, { minimum, maximum }: Bounds): boolean {
  const number = /^\d{1,15}$/.test(text.trim()) ? Number(text) : NaN;
  return number >= minimum && number <= maximum;
}

/** Why the server rejected a setting, in the words of a user's editor. */
export function rejection({ key, rule, got }: SettingFault): string {
  return `kato.${key} ${rule}; got ${got === undefined ? "nothing" : JSON.stringify(got)}`;
}

function isEmpty(value: unknown): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}
