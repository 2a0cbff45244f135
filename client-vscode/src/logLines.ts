// The lines that the server writes to its standard error (docs/protocol.md, "The log"), with their levels. Pure.

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogLine {
  level: LogLevel;
  text: string;
}

const LEVELS: Partial<Record<string, LogLevel>> = {
  DEBUG: "debug",
  INFO: "info",
  WARNING: "warn",
  ERROR: "error",
  CRITICAL: "error",
};
const RECORD = /^kato ([A-Z]+) (\S+): (.*)$/;

/** Divides what comes in pieces into lines. A line that does not begin a record belongs to the record before it. */
export class LogLines {
  #rest = "";
  #level: LogLevel = "warn"; // before the first record, only a program that could not start writes

  constructor(private readonly write: (line: LogLine) => void) {}

  add(text: string): void {
    const lines = `${this.#rest}${text}`.split(/\r?\n/);
    this.#rest = lines.pop() ?? "";
    lines.forEach((line) => this.#line(line));
  }

  /** The process has ended: its last line may lack its end. */
  end(): void {
    this.#line(this.#rest);
    this.#rest = "";
  }

  #line(line: string): void {
    const [, name = "", logger, message] = RECORD.exec(line) ?? [];
    this.#level = LEVELS[name] ?? this.#level;
    if (line.trim() !== "") {
      this.write({ level: this.#level, text: message === undefined ? line : `${logger}: ${message}` });
    }
  }
}
