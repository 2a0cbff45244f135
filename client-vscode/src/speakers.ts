// The headings of a rendered conversation: who speaks, and when. Pure.

export interface Speaker {
  name: string;
  when: string;
}

/** A heading ends with the time; where the day changes, with the date before it. */
const WHEN = /^(?<name>.+), (?<when>(?:\d{4}-\d\d-\d\d )?\d\d:\d\d)$/s;

/** The speaker of a heading of the second or third level, as pages have them; undefined for a heading in a message. */
export function speakerOf(level: number, text: string): Speaker | undefined {
  const { name = "", when = "" } = WHEN.exec(text.trim())?.groups ?? {};
  const isSpeaker = level === 2 ? name === "You" : level === 3 && name !== "";
  return isSpeaker ? { name, when } : undefined;
}
