// The server's life as this window sees it: found or installed, started, restarted after a crash, stopped.
//
// Rules: one start at a time and one more queued; a process that ended by itself is started again a few times, never after
// it went over its budget or refused its settings; nothing polls, everything follows what the server reports.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { promises as fs } from "node:fs";
import { PassThrough } from "node:stream";
import * as vscode from "vscode";
import { ApplyWorkspaceEditRequest, CloseAction, ErrorAction, LanguageClient, type LanguageClientOptions, type StaticFeature, type StreamInfo } from "vscode-languageclient/node";
import type { ServerState } from "./appearance";
import { FileOperations, NoteEdits, NOTES, UnsavedReports } from "./documents";
import { findServer, SetupError, type Place, type Progress } from "./install";
import { text } from "./notices";
import { ExitCode, EXPERIMENTAL, Method, type CommandOutcome, type Notice, type SettingFault, type StatusSnapshot } from "./protocol";
import { pauseBeforeRestart } from "./resolve";
import { forUsers, type Values } from "./settings";

/** What the server needs of its surroundings. */
export interface Host {
  place: () => Omit<Place, "isDoubtful">;
  settings: () => Values;
  /** Runs an installation with progress that the user sees. */
  installing: (work: (progress: Progress) => Promise<void>) => Promise<void>;
}

interface Message {
  type: number;
  message: string;
}

const SEVERITIES: Record<number, Notice["severity"]> = { 1: "error", 2: "warning" };

/** Why the last start failed, for the part that offers a cure. */
export type Failure = { kind: "setup"; error: SetupError } | { kind: "settings"; fault?: { key: string; message: string } } | { kind: "crash"; reason: string } | { kind: "budget"; reason: string };

const STOP_MS = 3000;
/** A damaged journal may take a minute to be read; what does not answer by then never will. */
const START_MS_MAX = 120_000;
/** From the end of a server that refused its settings until its last words are surely read. */
const LAST_WORDS_MS = 500;

/** The extension shows errors itself, with a cure; the base class would show popups of its own. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    this.outputChannel.appendLine(`${message} ${data instanceof Error ? data.message : ""}`.trimEnd());
  }
}

/** What this client can beyond LSP. */
const ANNOUNCES: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), ...EXPERIMENTAL };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

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

  #state: ServerState = { kind: "stopped" };
  #status: StatusSnapshot | undefined;
  #client: LanguageClient | undefined;
  #process: ChildProcess | undefined;
  #restarting: Promise<void> | undefined;
  #queued = false;
  readonly #closing = new AbortController();
  #crashes: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #started: Values = {};
  #starts = 0;
  #lastWords = "";
  #isRefused = false;
  #isOver = false;
  readonly #operations = new FileOperations();
  readonly #edits = new NoteEdits(this.#operations);
  #unsaved: UnsavedReports | undefined;
  #giveUp: (reason: Error) => void = () => undefined;

  constructor(
    private readonly host: Host,
    private readonly output: vscode.LogOutputChannel,
  ) {}

  get state(): ServerState {
    return this.#state;
  }

  /** The server's latest status; undefined before the first one. */
  get status(): StatusSnapshot | undefined {
    return this.#status;
  }

  /** The settings that it was started with. */
  get started(): Values {
    return this.#started;
  }

  /** Starts it if it does not run. */
  async start(): Promise<void> {
    if (this.#state.kind !== "running") {
      await this.#startAnew();
    }
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** After a request to its `start`th start failed: whether it had ended and runs again. */
  async hasReturned(start: number): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, 100)); // its end may still be on the way to us
    if (this.#state.kind === "starting") {
      await this.start();
    }
    return this.#starts !== start && this.#state.kind === "running";
  }

  /** Restarts it because the user wants it: what crashed before does not count any more. */
  restart(): Promise<void> {
    this.#crashes = [];
    this.#queued = this.#restarting !== undefined;
    return this.#startAnew();
  }

  /** Once for all who ask while it is being done. */
  #startAnew(): Promise<void> {
    if (this.#restarting !== undefined) {
      return this.#restarting;
    }
    const work = async (): Promise<void> => {
      do {
        this.#queued = false;
        this.#become({ kind: "starting" });
        await this.#halt();
        await this.#start();
      } while (this.#queued && !this.#isClosing);
    };
    this.#restarting = work().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  /** The window closes: nothing is started any more, what runs is ended, an installation is given up. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#halt();
    await this.#restarting?.catch(() => undefined);
  }

  /** Ends it: asked first, made to after a moment. */
  async #halt(): Promise<void> {
    clearTimeout(this.#timer);
    const [client, process] = [this.#client, this.#process];
    this.#client = this.#process = undefined;
    if (client !== undefined) {
      await client.stop(STOP_MS).catch(() => undefined);
      await client.dispose(STOP_MS).catch(() => undefined);
    }
    if (process !== undefined && process.exitCode === null && process.signalCode === null) {
      // It was asked, and may still write what it has to.
      await once(process, "exit", { signal: AbortSignal.timeout(STOP_MS) }).catch(() => process.kill("SIGKILL"));
    }
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async request<T>(method: string, params?: unknown): Promise<T> {
    if (this.#client === undefined || this.#state.kind !== "running") {
      throw new Error("Kato's server is stopped.");
    }
    return params === undefined ? this.#client.sendRequest<T>(method) : this.#client.sendRequest<T>(method, params);
  }

  async notify(method: string, params: unknown): Promise<void> {
    await this.#client?.sendNotification(method, params);
  }

  dispose(): void {
    this.#operations.dispose();
    this.#edits.dispose();
    this.#unsaved?.dispose();
    void this.close();
  }

  async #start(): Promise<void> {
    if (this.#isClosing) {
      return;
    }
    const place = { ...this.host.place(), isDoubtful: this.#crashes.length > 0 };
    let command: string[];
    try {
      command = await findServer(place, (work) => this.host.installing((progress) => work({ ...progress, signal: AbortSignal.any([progress.signal, this.#closing.signal]) })));
      await fs.mkdir(place.storage, { recursive: true });
    } catch (error) {
      const setup = error instanceof SetupError ? error : new SetupError(`Kato's server could not be set up: ${reasonOf(error)}`, "retry");
      this.#fail(setup.message, { kind: "setup", error: setup });
      return;
    }
    if (this.#isClosing) {
      return;
    }
    this.output.info(`starting ${command.join(" ")}`);
    this.#started = this.host.settings();
    this.#starts++;
    this.#lastWords = "";
    this.#isRefused = this.#isOver = false;
    this.#unsaved?.dispose();
    const unsaved = (this.#unsaved = new UnsavedReports(async (method, params) => {
      if (this.#client === client) {
        await client.sendNotification(method, params).catch(() => undefined); // it ended; all is reported to the next one
      }
    }, this.#operations));
    const client: QuietClient = new QuietClient("kato", "Kato", () => this.#spawn(command, place.storage), this.#options(unsaved));
    client.onNotification(Method.statusChanged, (status: StatusSnapshot) => this.#take(status));
    client.onNotification(Method.commandExecuted, (outcome: CommandOutcome) => this.#executed.fire(outcome));
    client.onNotification(Method.notice, (notice: Notice) => this.#notice(notice));
    client.onRequest(ApplyWorkspaceEditRequest.type, (params) => this.#edits.apply(params, (edit) => client.protocol2CodeConverter.asWorkspaceEdit(edit)));
    client.registerFeature(ANNOUNCES);
    this.#client = client;
    // What never answers is ended; its end is reported as any other.
    let patience = setTimeout(() => this.#process?.kill("SIGKILL"), START_MS_MAX);
    // The client itself may wait for an answer of a process that is gone.
    const ended = new Promise<never>((_, reject) => (this.#giveUp = reject));
    try {
      await Promise.race([client.start(), ended]);
      if (this.#client === client && this.#process === undefined) {
        throw new Error("it ended meanwhile");
      }
      if (this.#client === client) {
        this.#become({ kind: "running" });
      }
    } catch (error) {
      this.output.warn(`it did not start: ${reasonOf(error)}`);
      if (faultOf(error) === undefined && this.#process !== undefined) {
        // The connection complained before the process ended, whose end says more. One that goes on is ended.
        clearTimeout(patience);
        patience = setTimeout(() => this.#process?.kill("SIGKILL"), STOP_MS);
        await ended.catch(() => undefined);
      }
      if (this.#client === client && !this.#isOver) {
        this.#client = undefined;
        this.#startFailed(error, command);
      }
    } finally {
      clearTimeout(patience);
    }
  }

  #options(unsaved: UnsavedReports): LanguageClientOptions {
    return {
      documentSelector: NOTES,
      outputChannel: this.output,
      initializationOptions: this.#started,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
      middleware: {
        didOpen: async (document, next) => {
          await next(document);
          await unsaved.report(document);
        },
        didClose: async (document, next) => {
          await this.#operations.end(document);
          await next(document);
        },
      },
      connectionOptions: {
        messageStrategy: {
          handleMessage: (message, next) => {
            const { method, params } = message as { method?: string; params?: Message };
            if (method === Method.showMessage && params !== undefined) {
              this.#noticed.fire({ kind: "message", severity: SEVERITIES[params.type] ?? "info", message: params.message });
            } else {
              next(message);
            }
          },
        },
      },
    };
  }

  /** Not in the workspace's folder: `python -m` would take a `kato` that lies there for ours. */
  #spawn(command: readonly string[], folder: string): Promise<StreamInfo> {
    const [program = "", ...args] = command;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd: folder, stdio: "pipe", windowsHide: true });
      // When a pipe closes, the client drops what it has read, and takes a start that fails then for a good one. Why a
      // server ended immediately is in there: the client sees the end a moment later.
      const [reader, writer] = [new PassThrough(), new PassThrough()];
      writer.pipe(child.stdin);
      child.stdout.pipe(reader, { end: false });
      child.stdout.once("end", () => setTimeout(() => reader.end(), LAST_WORDS_MS));
      child.stderr.on("data", (chunk: Buffer) => this.#isClosing || this.output.append(chunk.toString()));
      child.once("error", reject);
      child.once("spawn", () => {
        if (this.#isClosing) {
          child.kill("SIGKILL"); // the window was closed while it came up
        }
        this.#process = child;
        resolve({ reader, writer });
      });
      child.once("exit", (code, signal) => this.#ended(child, code, signal));
      child.stdin.on("error", () => undefined); // it ended while the client wrote to it: `exit` reports it
    });
  }

  #notice(notice: Notice): void {
    if (notice.kind === "over_budget") {
      this.#lastWords = text(notice.data?.["reason"]) ?? notice.message;
    }
    this.#noticed.fire(notice);
  }

  #take(status: StatusSnapshot): void {
    this.#status = status;
    this.#changedStatus.fire(status);
  }

  #startFailed(error: unknown, command: readonly string[]): void {
    const fault = faultOf(error);
    if (fault !== undefined) {
      const message = forUsers(reasonOf(error));
      this.#fail(message, { kind: "settings", fault: { key: fault.key, message } });
    } else if (this.#isRefused) {
      this.#fail("its settings are invalid", { kind: "settings" });
    } else if (this.#process === undefined) {
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      const reason = `${command[0]} ${isMissing ? "was not found" : `could not be started: ${reasonOf(error)}`}`;
      this.#fail(reason, { kind: "setup", error: new SetupError(`Kato's server does not start: ${reason}.`, "settings") });
    }
    // Otherwise it answers no request, and its end is reported by itself.
  }

  #ended(child: ChildProcess, code: number | null, signal: string | null): void {
    if (this.#process !== child || this.#isClosing) {
      return; // it was stopped
    }
    this.#process = undefined;
    this.output.warn(`the server ended (${code ?? signal})`);
    if (code === ExitCode.invalidConfiguration) {
      // Its answer names the setting and may still be on its way: the part that waits for it reports it. It is not started again.
      this.#isRefused = true;
      if (this.#state.kind === "running") {
        this.#forget();
        this.#fail("its settings are invalid", { kind: "settings" });
        return;
      }
      setTimeout(this.#giveUp, 2 * LAST_WORDS_MS, new Error("it refused its settings"));
      return;
    }
    const client = this.#client;
    if (code === ExitCode.overBudget) {
      this.#isOver = true;
      // What it said of it, and its last figures, may still be on their way as well.
      setTimeout(() => this.#client === client && this.#overBudget(), LAST_WORDS_MS);
      return;
    }
    this.#forget();
    const now = Date.now();
    this.#crashes.push(now);
    const pause = pauseBeforeRestart(this.#crashes, now);
    if (pause === undefined) {
      const reason = `it ended unexpectedly ${this.#crashes.length} times (the last time with ${code === null ? `signal ${signal}` : `exit code ${code}`})`;
      this.#crashes = [];
      this.#fail(reason, { kind: "crash", reason });
      return;
    }
    this.#become({ kind: "starting" });
    this.#timer = setTimeout(() => void this.#again(), pause);
  }

  /** After a crash. The start that it ended may not have been reported yet: then one more follows it. */
  #again(): Promise<void> {
    this.#queued = this.#restarting !== undefined;
    return this.#startAnew();
  }

  #overBudget(): void {
    this.#forget();
    const reason = this.#lastWords === "" ? "one conversation outgrew the memory limit." : this.#lastWords;
    this.#become({ kind: "overBudget", reason });
    this.#failed.fire({ kind: "budget", reason });
  }

  /** Drops the client of a process that ended. */
  #forget(): void {
    this.#giveUp(new Error("it ended"));
    const client = this.#client;
    this.#client = undefined;
    void client?.dispose(STOP_MS).catch(() => undefined);
  }

  #fail(reason: string, failure: Failure): void {
    if (this.#isClosing) {
      return;
    }
    this.output.error(reason);
    this.#become({ kind: "stopped", reason });
    this.#failed.fire(failure);
  }

  #become(state: ServerState): void {
    this.#state = state;
    if (state.kind === "stopped" || state.kind === "starting") {
      // What is over budget stays on view; what is stopped or new has no figures yet.
      this.#status = undefined;
    }
    this.#changedState.fire(state);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The setting that the server refused, if it answered so. */
function faultOf(error: unknown): SettingFault | undefined {
  const data = (error as { data?: Partial<SettingFault> } | undefined)?.data;
  return data?.key !== undefined && data.rule !== undefined ? { key: data.key, rule: data.rule, got: data.got } : undefined;
}
