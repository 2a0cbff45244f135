// The life of Kato's server as this window sees it: states, events and the table of transitions. Pure.

export enum Life {
  /** No process runs, and none is started until the user or a changed setting asks for it. */
  Stopped = "stopped",
  /** An older process is being ended, and a server is being found or installed. */
  Preparing = "preparing",
  /** A process was started and has not answered `initialize` yet. */
  Starting = "starting",
  /** The process answers requests. */
  Running = "running",
  /** The process ended because of a setting; its answer, which names the setting, may still be on its way. */
  Refused = "refused",
  /** The process crashed; the next start follows after a pause. */
  Pausing = "pausing",
  /** The process ended over its memory budget; its last messages may still be on their way. */
  Exceeded = "exceeded",
  /** The process ended over its memory budget, and the user knows why. */
  OverBudget = "overBudget",
  /** The window closes: nothing is started any more. */
  Closed = "closed",
}

export enum LifeEvent {
  /** The user, a changed setting or the end of a pause starts the server, or starts it again. */
  Start = "start",
  /** A server was found or installed, and its process is being started. */
  Found = "found",
  /** The process answered `initialize`. */
  Ready = "ready",
  /** The process ended with the exit code for an invalid configuration. */
  Refuse = "refuse",
  /** The process ended unexpectedly, and is to be started again. */
  Crash = "crash",
  /** The process ended with the exit code for a memory limit that was exceeded. */
  Exceed = "exceed",
  /** The last messages of a process over its budget were read. */
  Explain = "explain",
  /** No server can be started, the server rejected a setting, does not answer, or crashed too often. */
  Fail = "fail",
  /** The window closes. */
  Close = "close",
}

/** What each event leads to in each state. An event that a state does not list has no effect in it. */
const TRANSITIONS: Readonly<Record<Life, Partial<Record<LifeEvent, Life>>>> = {
  [Life.Stopped]: {
    [LifeEvent.Start]: Life.Preparing,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Preparing]: {
    [LifeEvent.Found]: Life.Starting,
    [LifeEvent.Fail]: Life.Stopped,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Starting]: {
    [LifeEvent.Ready]: Life.Running,
    [LifeEvent.Refuse]: Life.Refused,
    [LifeEvent.Crash]: Life.Pausing,
    [LifeEvent.Exceed]: Life.Exceeded,
    [LifeEvent.Fail]: Life.Stopped,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Running]: {
    [LifeEvent.Start]: Life.Preparing,
    [LifeEvent.Refuse]: Life.Refused,
    [LifeEvent.Crash]: Life.Pausing,
    [LifeEvent.Exceed]: Life.Exceeded,
    [LifeEvent.Fail]: Life.Stopped,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Refused]: {
    [LifeEvent.Fail]: Life.Stopped,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Pausing]: {
    [LifeEvent.Start]: Life.Preparing,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Exceeded]: {
    [LifeEvent.Start]: Life.Preparing,
    [LifeEvent.Explain]: Life.OverBudget,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.OverBudget]: {
    [LifeEvent.Start]: Life.Preparing,
    [LifeEvent.Close]: Life.Closed,
  },
  [Life.Closed]: {},
};

/** The state that follows, or undefined where the event has no effect. */
export function after(life: Life, event: LifeEvent): Life | undefined {
  return TRANSITIONS[life][event];
}

/** The states as the user sees them. */
const SHOWN = {
  [Life.Stopped]: "stopped",
  [Life.Preparing]: "starting",
  [Life.Starting]: "starting",
  [Life.Running]: "running",
  [Life.Refused]: "starting",
  [Life.Pausing]: "starting",
  [Life.Exceeded]: "overBudget",
  [Life.OverBudget]: "overBudget",
  [Life.Closed]: "stopped",
} as const satisfies Record<Life, string>;

export type ServerStateKind = (typeof SHOWN)[Life];

/** Why a server is stopped, for views that show a text and remedies for each. */
export type StopCause = "python" | "setup" | "command" | "settings" | "crash";

/** The state as the status bar, the views and the commands treat it. `reason` is a sentence for people. */
export interface ServerState {
  kind: ServerStateKind;
  reason?: string;
  cause?: StopCause;
}

export function shownAs(life: Life): ServerStateKind {
  return SHOWN[life];
}
