// Kato's server as this window sees it: found or installed, started, restarted after a crash, stopped. life.ts has the
// states.
//
// Rules: one start runs at a time, and at most one more is queued. A process that crashed is started again a few times. A
// process that exceeded its budget, or whose settings were rejected, is not. Nothing polls: all follows from events.

import { promises as fs } from "node:fs";
import * as vscode from "vscode";
import type { NotificationType, RequestType, RequestType0 } from "vscode-languageserver-protocol";
import { Connection, rejectedSetting, type Listener, type OpenNotes } from "./connection";
import { causeOf, sentence, type Failure } from "./failure";
import { FileOperations } from "./fileOperations";
import { findServer, type Place, type Progress } from "./install";
import { after, Life, LifeEvent, shownAs, type ServerState } from "./life";
import type { LogLine } from "./logLines";
import { NoteEdits } from "./noteEdits";
import { overBudgetReason } from "./notices";
import { ExitCode, NoticeKind } from "./protocol";
import { pauseBeforeRestart } from "./resolve";
import { LAST_WORDS_MS, type Exit } from "./serverProcess";
import type { Values } from "./settings";
import { SetupError } from "./setupError";
import type { CommandOutcome, Notice, StatusSnapshot } from "./structs";
import { UnsavedDocuments } from "./unsaved";

/** Milliseconds that the exit of a process may reach this window before or after the failure of a request to it. */
const EXIT_MS = 100;

/** What the server needs from the extension. */
export interface Host {
  place: () => Omit<Place, "isDoubtful">;
  settings: () => Values;
  /** Runs an installation with progress that the user sees. */
  installing: (work: (progress: Progress) => Promise<void>) => Promise<void>;
  /** Shows that a process has not answered for this time, until `start` ends; `stop` is for a user who does not want to wait. */
  waiting: (command: string, seconds: number, start: Promise<void>, stop: () => void) => void;
}

export class Server implements vscode.Disposable {
  readonly #changedState = new vscode.EventEmitter<ServerState>();
  readonly #changedStatus = new vscode.EventEmitter<StatusSnapshot>();
  readonly #executed = new vscode.EventEmitter<CommandOutcome>();
  readonly #noticed = new vscode.EventEmitter<Notice>();
  readonly #failed = new vscode.EventEmitter<Failure>();
  readonly onDidChangeState = this.#changedState.event;
  readonly onDidChangeStatus = this.#changedStatus.event;
  readonly onDidExecute = this.#executed.event;
  readonly onDidNotice = this.#noticed.event;
  readonly onDidFail = this.#failed.event;

  readonly #notes = openNotes();
  readonly #closing = new AbortController();
  #life = Life.Stopped;
  #failure: Failure | undefined;
  #connection: Connection | undefined;
  #status: StatusSnapshot | undefined;
  #started: Values = {};
  #starts = 0;
  #program: readonly string[] | undefined;
  #starting: Promise<void> | undefined;
  #isQueued = false;
  #crashes: number[] = [];
  #pause: NodeJS.Timeout | undefined;
  /** What the server reported about its budget before it ended. */
  #budgetReason: string | undefined;

  constructor(
    private readonly host: Host,
    private readonly output: vscode.LogOutputChannel,
  ) {}

  get state(): ServerState {
    const kind = shownAs(this.#life);
    if (this.#failure === undefined) {
      return { kind };
    }
    const [reason, cause] = [sentence(this.#failure), causeOf(this.#failure)];
    return cause === undefined ? { kind, reason } : { kind, reason, cause };
  }

  /** The last status that the server sent; undefined before the first. */
  get status(): StatusSnapshot | undefined {
    return this.#status;
  }

  /** The settings that it was started with. */
  get started(): Values {
    return this.#started;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** The command that started it last, without `serve`: other subcommands of the same program run with it. */
  get program(): readonly string[] | undefined {
    return this.#program;
  }

  /** Starts it unless it runs. A start that is in progress serves all callers. */
  async start(): Promise<void> {
    if (this.#life !== Life.Running) {
      await this.#startOnce();
    }
  }

  /** Starts it again because the user wants it: earlier crashes do not count any more. */
  restart(): Promise<void> {
    this.#crashes = [];
    return this.#startAfterThis();
  }

  /** After a request to its `start`th start failed: whether it ended and runs again. */
  async hasReturned(start: number): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, EXIT_MS));
    if (this.state.kind === "starting") {
      await this.start();
    }
    return this.#starts !== start && this.#life === Life.Running;
  }

  request<R>(type: RequestType0<R, void>): Promise<R>;
  request<P, R>(type: RequestType<P, R, void>, params: P, token?: vscode.CancellationToken): Promise<R>;
  async request<P, R>(
    type: RequestType<P, R, void> | RequestType0<R, void>,
    params?: P,
    token?: vscode.CancellationToken,
  ): Promise<R> {
    if (this.#connection === undefined || this.#life !== Life.Running) {
      throw new Error("Kato's server is stopped.");
    }
    return this.#connection.request(type as RequestType<P, R, void>, params as P, token);
  }

  async notify<P>(type: NotificationType<P>, params: P): Promise<void> {
    await this.#connection?.notify(type, params);
  }

  /** The window closes: ends the process, gives up an installation, starts nothing any more. */
  async close(): Promise<void> {
    this.#apply(LifeEvent.Close);
    this.#closing.abort();
    await this.#halt();
    await this.#starting?.catch(() => undefined);
  }

  dispose(): void {
    vscode.Disposable.from(this.#notes.edits, this.#notes.unsaved, this.#notes.operations).dispose();
    void this.close();
  }

  // --- States -----------------------------------------------------------------------------------------

  /** Makes the event's transition, because of this failure. Returns whether the present state has such a transition. */
  #apply(event: LifeEvent, failure?: Failure): boolean {
    const next = after(this.#life, event);
    if (next === undefined) {
      return false;
    }
    this.#life = next;
    this.#failure = failure;
    const { kind } = this.state;
    if (kind === "stopped" || kind === "starting") {
      this.#status = undefined; // the last figures of a server over its budget stay in view
    }
    if (next !== Life.Closed) {
      this.#changedState.fire(this.state);
    }
    return true;
  }

  #fail(failure: Failure): void {
    if (this.#apply(LifeEvent.Fail, failure)) {
      this.output.error(sentence(failure));
      this.#failed.fire(failure);
    }
  }

  // --- Starts -----------------------------------------------------------------------------------------

  #startOnce(): Promise<void> {
    this.#starting ??= this.#runStarts().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Starts it; where a start is in progress, once more after it. */
  #startAfterThis(): Promise<void> {
    this.#isQueued = this.#starting !== undefined;
    return this.#startOnce();
  }

  async #runStarts(): Promise<void> {
    do {
      this.#isQueued = false;
      if (!this.#apply(LifeEvent.Start)) {
        return;
      }
      await this.#halt();
      await this.#startProcess();
    } while (this.#hasQueued());
  }

  #hasQueued(): boolean {
    return this.#isQueued;
  }

  /** Ends the process of the present connection, if there is one. */
  async #halt(): Promise<void> {
    clearTimeout(this.#pause);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.stop();
  }

  async #startProcess(): Promise<void> {
    const place = { ...this.host.place(), isDoubtful: this.#crashes.length > 0 };
    const command = await this.#find(place);
    if (command === undefined || !this.#apply(LifeEvent.Found)) {
      return;
    }
    this.output.info(`Starting the server: ${command.join(" ")}`);
    this.#started = this.host.settings();
    this.#starts++;
    this.#program = command.at(-1) === "serve" ? command.slice(0, -1) : undefined;
    this.#budgetReason = undefined;
    const connection: Connection = new Connection(
      { command, folder: place.storage, settings: this.#started },
      this.#notes,
      this.output,
      this.#listener(() => connection),
    );
    this.#connection = connection;
    try {
      const { name, version, pid } = await connection.start();
      this.output.info(`The server runs: ${name} ${version}, process ${pid}`);
      this.#apply(LifeEvent.Ready);
    } catch (error) {
      if (this.#connection === connection) {
        this.output.warn(`The server did not start: ${reasonOf(error)}`);
        this.#startFailed(error, command);
      }
    }
  }

  /** Returns the command of a server that can be started. Returns undefined, and reports the failure, if none was found. */
  async #find(place: Place): Promise<string[] | undefined> {
    try {
      const command = await findServer(place, (work) =>
        this.host.installing((progress) =>
          work({ ...progress, signal: AbortSignal.any([progress.signal, this.#closing.signal]) }),
        ),
      );
      await fs.mkdir(place.storage, { recursive: true });
      return command;
    } catch (error) {
      const setup =
        error instanceof SetupError
          ? error
          : new SetupError(`Kato's server could not be set up: ${reasonOf(error)}`, "retry");
      this.#fail({ kind: "setup", error: setup });
      return undefined;
    }
  }

  #startFailed(error: unknown, command: readonly string[]): void {
    const fault = rejectedSetting(error);
    if (fault !== undefined) {
      this.#release();
      this.#fail({ kind: "settings", fault });
    } else if (this.#life === Life.Refused) {
      this.#settingsRejected();
    } else if (this.#life === Life.Starting) {
      this.#release();
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      const reason = `${command[0] ?? ""} ${isMissing ? "was not found" : `could not be started: ${reasonOf(error)}`}`;
      this.#fail({ kind: "setup", error: new SetupError(`Kato's server does not start: ${reason}.`, "settings") });
    }
  }

  /** Ends a process that does not answer. */
  #abandon(connection: Connection, how: string): void {
    if (this.#connection === connection && this.#life === Life.Starting) {
      this.#release();
      connection.kill();
      const message = `Kato's server does not start: ${connection.command} ${how}.`;
      this.#fail({ kind: "setup", error: new SetupError(message, "settings") });
    }
  }

  // --- What a connection reports ----------------------------------------------------------------------

  /** Passes on what the present connection reports. One that was stopped is not listened to. */
  #listener(connection: () => Connection): Listener {
    return {
      status: (status) => {
        this.#status = status;
        this.#changedStatus.fire(status);
      },
      executed: (outcome) => this.#executed.fire(outcome),
      notice: (notice) => {
        if (notice.kind === NoticeKind.overBudget) {
          this.#budgetReason = overBudgetReason(notice);
        }
        this.#noticed.fire(notice);
      },
      logged: ({ level, text }: LogLine) => {
        if (this.#life !== Life.Closed) {
          this.output[level](text);
        }
      },
      silent: (seconds, start) => {
        if (this.#connection === connection() && this.#life === Life.Starting) {
          this.output.warn(`The server has not answered for ${seconds} s`);
          this.host.waiting(connection().command, seconds, start, () =>
            this.#abandon(connection(), "was stopped before it answered"),
          );
        }
      },
      unresponsive: (seconds) => this.#abandon(connection(), `did not answer within ${seconds} s`),
      ended: (exit) => {
        if (this.#connection === connection()) {
          this.#ended(connection(), exit);
        }
      },
    };
  }

  #ended(connection: Connection, { code, signal }: Exit): void {
    this.output.warn(`The server ended (${code ?? signal ?? "no exit code"})`);
    if (code === ExitCode.invalidConfiguration) {
      const isStarting = this.#life === Life.Starting;
      this.#apply(LifeEvent.Refuse);
      if (isStarting) {
        setTimeout(() => connection.giveUp("the server rejected its settings"), 2 * LAST_WORDS_MS);
      } else {
        this.#settingsRejected();
      }
    } else if (code === ExitCode.overBudget) {
      this.#apply(LifeEvent.Exceed);
      setTimeout(() => this.#explainBudget(connection), LAST_WORDS_MS);
    } else {
      this.#crashed(code === null ? `signal ${signal ?? "unknown"}` : `exit code ${code}`);
    }
  }

  #settingsRejected(): void {
    this.#release();
    this.#fail({ kind: "settings" });
  }

  /** Once the last notice and the last status of a process over its budget were read. */
  #explainBudget(connection: Connection): void {
    const reason = this.#budgetReason ?? "One conversation outgrew the memory limit.";
    const failure: Failure = { kind: "budget", reason };
    if (this.#connection === connection && this.#apply(LifeEvent.Explain, failure)) {
      this.#release();
      this.#failed.fire(failure);
    }
  }

  #crashed(how: string): void {
    this.#release();
    const now = Date.now();
    this.#crashes.push(now);
    const pause = pauseBeforeRestart(this.#crashes, now);
    if (pause === undefined) {
      const times = this.#crashes.length;
      this.#crashes = [];
      this.#fail({ kind: "crash", times, how });
    } else if (this.#apply(LifeEvent.Crash)) {
      // The start that crashed may still be in progress.
      this.#pause = setTimeout(() => void this.#startAfterThis(), pause);
    }
  }

  /** Frees the connection to a process that has ended. */
  #release(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.release();
  }
}

function openNotes(): OpenNotes {
  const [operations, unsaved] = [new FileOperations(), new UnsavedDocuments()];
  return { operations, unsaved, edits: new NoteEdits(operations, unsaved) };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
