// The error for a server that could not be found, installed or started.

/** The message is shown to the user; `cure` names what the user can do about it. */
export class SetupError extends Error {
  constructor(
    message: string,
    readonly cure: "python" | "retry" | "settings",
  ) {
    super(message);
  }
}
