// The icons of assistants: two letters of the name on a colour, drawn here, so that an assistant of a plugin has one too. Pure.

export interface GlyphState {
  isRecording: boolean;
  isDeleted: boolean;
  isSubAgent: boolean;
}

/** Colours on which white (of a light theme) and black (of a dark theme) letters are readable. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#a4472a", "#eca07f"],
  ["#2f6f4f", "#86cfa6"],
  ["#2c5fa8", "#8fbcf5"],
  ["#7a3f9d", "#d0a2ee"],
  ["#8a6100", "#e3bd5b"],
  ["#0f6e77", "#74cbd3"],
  ["#a83264", "#f09bbd"],
  ["#4b5563", "#b6c0cc"],
];
/** The built-in assistants keep their colours whatever else is installed, and have letters that differ. */
const OWN: Partial<Record<string, { colour: number; letters: string }>> = {
  claude: { colour: 0, letters: "CC" },
  codex: { colour: 1, letters: "Cd" },
  gemini: { colour: 2, letters: "Ge" },
  copilot: { colour: 3, letters: "Co" },
};
const RECORDING = ["#d1242f", "#f85149"] as const;

/** `OC` for OpenClaude Code, `Qd` for Qoder: initials, or the first letter and the next consonant. */
export function letters(name: string): string {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  const [first = "?", second] = words;
  if (second !== undefined) {
    return (initial(first) + initial(second)).toUpperCase();
  }
  const [head = "?", ...rest] = Array.from(first);
  const next = rest.find((letter) => !/[aeiou]/i.test(letter)) ?? rest[0] ?? "";
  return head.toUpperCase() + next.toLowerCase();
}

function initial(word: string): string {
  return Array.from(word)[0] ?? "";
}

/** An icon as SVG, for a light or a dark theme. */
export function glyph(provider: string, name: string, theme: "light" | "dark", state: GlyphState): string {
  const index = theme === "light" ? 0 : 1;
  const own = OWN[provider];
  const colour = COLOURS[own?.colour ?? 4 + (hash(provider) % (COLOURS.length - 4))]?.[index] ?? "#888888";
  const paper = theme === "light" ? "#ffffff" : "#1b1b1b";
  const isHollow = state.isDeleted || state.isSubAgent;
  const box = isHollow
    ? `<rect x="1" y="1" width="14" height="14" rx="3" fill="none" stroke="${colour}"${state.isDeleted ? ' stroke-dasharray="2 1.6"' : ""}/>`
    : `<rect x="0.5" y="0.5" width="15" height="15" rx="3.5" fill="${colour}"/>`;
  const text = `<text x="8" y="11.1" font-family="Arial, Helvetica, sans-serif" font-size="8.6" font-weight="700" text-anchor="middle" fill="${isHollow ? colour : paper}">${escaped(own?.letters ?? letters(name))}</text>`;
  const dot = state.isRecording
    ? `<circle cx="12.8" cy="12.8" r="3.2" fill="${RECORDING[index]}" stroke="${paper}" stroke-width="1"/>`
    : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">${box}${text}${dot}</svg>`;
}

function hash(text: string): number {
  return Array.from(text).reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65_521, 7);
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
