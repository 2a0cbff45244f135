// What a search shows of its hits. Pure.

import { folderShown } from "./sessionTree";
import { joined } from "./sessions";
import type { Mark, SearchHit } from "./structs";
import { ago, type NameOf } from "./text";

export interface HitTexts {
  label: string;
  description: string;
  detail: string;
}

const SPEAKERS = { user: "You", assistant: "", tools: "Tool", other: "" } as const;

/** A hit as an item of a list. */
export function describeHit(hit: SearchHit, now: number, nameOf: NameOf, folders: readonly string[]): HitTexts {
  const assistant = nameOf(hit.provider);
  const where = joined([
    ago(hit.timestamp, now),
    assistant,
    folderShown(hit.cwd, folders),
    hit.source === "log" ? "only in its log" : "",
  ]);
  const speaker = SPEAKERS[hit.role] || assistant;
  return { label: hit.title ?? hit.sessionId, description: where, detail: `${speaker}: ${marked(hit)}` };
}

/** The excerpt in one line, its matches in guillemets: a list has no other way to show several matches in a text. */
export function marked({ snippet, marks }: SearchHit): string {
  let text = "";
  let reached = 0;
  for (const { start, end } of marks) {
    text += `${snippet.slice(reached, start)}»${snippet.slice(start, end)}«`;
    reached = end;
  }
  return (text + snippet.slice(reached)).replace(/\s+/g, " ");
}

/** The words of a hit as they stand in the message. */
export function wordsOf({ snippet, marks }: SearchHit): string[] {
  return [...new Set(marks.map(({ start, end }) => snippet.slice(start, end)))];
}

/** Where words stand in a text, in order and without overlaps, whatever their case. */
export function occurrences(text: string, words: readonly string[]): Mark[] {
  const patterns = words
    .filter((word) => word.trim() !== "")
    .sort((a, b) => b.length - a.length)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (patterns.length === 0) {
    return [];
  }
  return [...text.matchAll(new RegExp(`(?<![\\p{L}\\p{N}])(?:${patterns.join("|")})`, "giu"))].map((found) => ({
    start: found.index,
    end: found.index + found[0].length,
  }));
}
