// Figures, ages and names as people read them. Pure.

import type { ProviderStatus } from "./structs";

const MIB = 1024 * 1024;

/** Bytes as `512 B`, `1.2 kB`, `34 kB`, `5.6 MB`. */
export function bytes(count: number): string {
  if (count < 1024) {
    return `${count} B`;
  }
  const [value, unit] = count < MIB ? [count / 1024, "kB"] : [count / MIB, "MB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** Whole megabytes. */
export function megabytes(count: number): number {
  return Math.round(count / MIB);
}

/** A text of at most this many characters. */
export function cut(text: string, length: number): string {
  const characters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  return characters.length <= length
    ? text
    : `${characters
        .slice(0, length - 1)
        .join("")
        .trimEnd()}…`;
}

/** Megabytes with one decimal place. */
export function tenths(count: number): string {
  return (count / MIB).toFixed(1);
}

/** `just now`, `5 min`, `3 h`, `2 days`, then the date. */
export function age(moment: string | undefined, now: number): string {
  const then = moment === undefined ? NaN : Date.parse(moment);
  if (Number.isNaN(then)) {
    return "";
  }
  const minutes = Math.floor((now - then) / 60_000);
  if (minutes < 1) {
    return "just now";
  }
  if (minutes < 60) {
    return `${minutes} min`;
  }
  if (minutes < 24 * 60) {
    return `${Math.floor(minutes / 60)} h`;
  }
  const days = Math.floor(minutes / (24 * 60));
  return days === 1 ? "1 day" : days < 14 ? `${days} days` : new Date(then).toISOString().slice(0, 10);
}

/** A past moment in a sentence or a list: `5 min ago`, `2 days ago`; `just now` and dates as they are. */
export function ago(moment: string | undefined, now: number): string {
  const passed = age(moment, now);
  return /^\d+ [a-z]+$/.test(passed) ? `${passed} ago` : passed;
}

/** Gives an assistant's name for people. */
export type NameOf = (provider: string) => string;

/** The names that a status gives, then those of another answer; the id of an assistant that neither names. */
export function assistantNames(
  providers: readonly ProviderStatus[],
  others: Readonly<Record<string, string>> = {},
): NameOf {
  const titles = new Map(providers.map(({ provider, title }) => [provider, title]));
  return (provider) => titles.get(provider) ?? others[provider] ?? provider;
}

/** `1 event`, `2 events`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/** A text in Markdown, which shows it as it is. */
export function inMarkdown(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]()<>#+!|~$&-]/g, "\\$&");
}

const SEGMENTS = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** Letters that are twice as wide as Latin ones. */
const WIDE = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{Extended_Pictographic}\uFF00-\uFF60]/u;

/** A title in at most the width of so many Latin letters, cut between words where that leaves half of it. */
export function shortened(title: string, widthMax: number): string {
  const text = title.replace(/\s+/g, " ").trim();
  let [width, cut] = [0, ""];
  for (const { segment, index } of SEGMENTS.segment(text)) {
    width += WIDE.test(segment) ? 2 : 1;
    if (width > widthMax) {
      const isBetweenWords = /^\s/.test(text.slice(cut.length));
      const word = isBetweenWords ? cut : cut.replace(/\s+\S*$/, "");
      return `${(word.length >= cut.length / 2 ? word : cut).trimEnd()}…`;
    }
    if (width < widthMax) {
      cut = text.slice(0, index + segment.length); // the last place is the ellipsis'
    }
  }
  return text;
}

/** The files that a unified diff changes. */
export function changedFiles(diff: string): string[] {
  return Array.from(diff.matchAll(/^\+\+\+ (.+)$/gm), ([, file = ""]) => file.trim());
}

/** A moment on this machine's clock, to the minute. */
export function moment(at: string): string {
  const then = new Date(at);
  return Number.isNaN(then.getTime())
    ? "unknown"
    : then.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
