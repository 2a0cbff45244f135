// Why no server can be started, for people.

/** The message states the reason, and `cure` names what the user can do. */
export class SetupError extends Error {
  constructor(
    message: string,
    readonly cure: "python" | "retry" | "settings",
  ) {
    super(message);
  }
}
