// The connection to one server process, from its start to its end: the language client, what it announces, what it receives.

import type * as vscode from "vscode";
import {
  ApplyWorkspaceEditRequest,
  CloseAction,
  ErrorAction,
  LanguageClient,
  ShowMessageNotification,
  type LanguageClientOptions,
  type NotificationType,
  type RequestType,
  type RequestType0,
  type ShowMessageParams,
  type StaticFeature,
  type StreamInfo,
} from "vscode-languageclient/node";
import type { FileOperations } from "./fileOperations";
import type { LogLevel, LogLine } from "./logLines";
import { NOTES, type NoteEdits } from "./noteEdits";
import { CommandExecuted, DocumentDirty, EXPERIMENTAL, NoticeSent, settingFault, StatusChanged } from "./protocol";
import { ServerProcess, type Exit } from "./serverProcess";
import type { Values } from "./settings";
import type { CommandOutcome, DocumentDirtyParams, Notice, SessionParams, StatusSnapshot } from "./structs";
import { transcriptUri } from "./transcripts";
import { UnsavedReports, type UnsavedDocuments } from "./unsaved";

/** Milliseconds that a process may take to end after it was asked to. */
const STOP_MS = 3000;
/** Milliseconds within which a server must answer `initialize`: it may take a minute to read a damaged journal. */
const START_MS_MAX = 120_000;
/** Milliseconds after which the user is notified that the server has not answered yet. */
const SILENT_MS = 10_000;

const SEVERITIES: Partial<Record<number, Notice["severity"]>> = { 1: "error", 2: "warning" };

/** What a connection reports. */
export interface Listener {
  status: (status: StatusSnapshot) => void;
  executed: (outcome: CommandOutcome) => void;
  notice: (notice: Notice) => void;
  /** The process, or the client, wrote this line to its log. */
  logged: (line: LogLine) => void;
  /** The process has not answered `initialize` for this time. `start` resolves when it has answered or ended. */
  silent: (seconds: number, start: Promise<void>) => void;
  /** The process did not answer `initialize` in time. */
  unresponsive: (seconds: number) => void;
  /** The process ended, whether by itself or because it was stopped. */
  ended: (exit: Exit) => void;
}

/** How the process is started, and what it is given. */
export interface Launch {
  command: readonly string[];
  folder: string;
  settings: Values;
}

/** The notes that are open in this window. They outlive a connection. */
export interface OpenNotes {
  operations: FileOperations;
  unsaved: UnsavedDocuments;
  edits: NoteEdits;
}

/** What a process that has started says of itself. */
export interface ServerInfo {
  name: string;
  version: string;
  pid: number;
}

/** The base class would show errors as notifications; the extension shows its own, with remedies. */
class QuietClient extends LanguageClient {
  /** Set when the process is asked to end, or has ended: what the base class reports then is not a fault. */
  isEnding = false;
  logged: (line: LogLine) => void = () => undefined;

  override error(message: string, data?: unknown): void {
    this.#log("error", message, data);
  }

  override warn(message: string, data?: unknown): void {
    this.#log("warn", message, data);
  }

  override info(message: string, data?: unknown): void {
    this.#log("info", message, data);
  }

  #log(level: LogLevel, message: string, data: unknown): void {
    const text = `language client: ${message} ${data instanceof Error ? data.message : ""}`.trimEnd();
    this.logged({ level: this.isEnding ? "debug" : level, text });
  }
}

/** Adds what this client can do beyond LSP to its capabilities. */
const ANNOUNCES: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), ...EXPERIMENTAL };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

export class Connection {
  readonly #client: QuietClient;
  readonly #unsaved: UnsavedReports;
  /** Rejects once the process ended: the client may wait for an answer of a process that is gone. */
  readonly #givenUp: Promise<never>;
  #rejectStart: (reason: Error) => void = () => undefined;
  #process: ServerProcess | undefined;
  #isReleased = false;

  constructor(
    private readonly launch: Launch,
    private readonly notes: OpenNotes,
    private readonly output: vscode.LogOutputChannel,
    private readonly listener: Listener,
  ) {
    this.#givenUp = new Promise((_, reject) => (this.#rejectStart = reject));
    this.#givenUp.catch(() => undefined);
    // Created before the client, for the order of their listeners: see UnsavedReports.
    const notify = async (params: DocumentDirtyParams): Promise<void> => {
      await this.notify(DocumentDirty, params).catch(() => undefined); // the process ended: the next one gets all reports
    };
    this.#unsaved = new UnsavedReports(notify, notes.unsaved, notes.operations);
    this.#client = new QuietClient("kato", "Kato", () => this.#spawn(), this.#options());
    this.#client.logged = (line) => listener.logged(line);
    this.#client.onNotification(StatusChanged, (status) => listener.status(status));
    this.#client.onNotification(CommandExecuted, (outcome) => listener.executed(outcome));
    this.#client.onNotification(NoticeSent, (notice) => listener.notice(notice));
    this.#client.onRequest(ApplyWorkspaceEditRequest.type, (params) =>
      notes.edits.apply(params, (edit) => this.#client.protocol2CodeConverter.asWorkspaceEdit(edit)),
    );
    this.#client.registerFeature(ANNOUNCES);
  }

  /** The command line of the process. */
  get command(): string {
    return this.launch.command.join(" ");
  }

  get isAlive(): boolean {
    return this.#process?.isAlive === true;
  }

  /** Resolves once the server answered `initialize`. Rejects after the process ended, or if it could not be started. */
  async start(): Promise<ServerInfo> {
    const started = Promise.race([this.#client.start(), this.#givenUp]);
    const ended = started.catch(() => undefined);
    const timers = [
      setTimeout(() => this.listener.silent(SILENT_MS / 1000, ended), SILENT_MS),
      setTimeout(() => this.listener.unresponsive(START_MS_MAX / 1000), START_MS_MAX),
    ];
    try {
      await started;
    } catch (error) {
      if (rejectedSetting(error) === undefined && this.isAlive) {
        // The connection failed before the process ended, and the exit code says why. A process that goes on is killed.
        timers.push(setTimeout(() => this.kill(), STOP_MS));
        await this.#givenUp.catch(() => undefined);
      }
      throw error;
    } finally {
      timers.forEach(clearTimeout);
    }
    if (this.#process?.isAlive !== true) {
      throw new Error("the process ended");
    }
    const { name = "a server without a name", version = "" } = this.#client.initializeResult?.serverInfo ?? {};
    return { name, version, pid: this.#process.pid };
  }

  /** Kills the process. */
  kill(): void {
    this.#process?.kill();
  }

  /** Makes a start that is in progress fail with this reason. */
  giveUp(reason: string): void {
    this.#rejectStart(new Error(reason));
  }

  request<R>(type: RequestType0<R, void>): Promise<R>;
  request<P, R>(type: RequestType<P, R, void>, params: P, token?: vscode.CancellationToken): Promise<R>;
  request<P, R>(
    type: RequestType<P, R, void> | RequestType0<R, void>,
    params?: P,
    token?: vscode.CancellationToken,
  ): Promise<R> {
    return type.numberOfParams === 0
      ? this.#client.sendRequest(type as RequestType0<R, void>)
      : this.#client.sendRequest(type as RequestType<P, R, void>, params as P, token);
  }

  async notify<P>(type: NotificationType<P>, params: P): Promise<void> {
    if (!this.#isReleased) {
      await this.#client.sendNotification(type, params);
    }
  }

  /** Ends the process: asks it first, kills it if it does not end in time. */
  async stop(): Promise<void> {
    this.#isReleased = this.#client.isEnding = true;
    this.#unsaved.dispose();
    await this.#client.stop(STOP_MS).catch(() => undefined);
    await this.#client.dispose(STOP_MS).catch(() => undefined);
    await this.#process?.end(STOP_MS);
  }

  /** Frees what belongs to a process that has ended. */
  release(): void {
    this.#isReleased = this.#client.isEnding = true;
    this.giveUp("the process ended");
    this.#unsaved.dispose();
    void this.#client.dispose(STOP_MS).catch(() => undefined);
  }

  async #spawn(): Promise<StreamInfo> {
    const { command, folder } = this.launch;
    const started = await ServerProcess.start(command, folder, (line) => this.listener.logged(line));
    this.#process = started;
    void started.exited.then((exit) => {
      this.#client.isEnding = true; // the listener reports the end
      this.listener.ended(exit);
    });
    if (this.#isReleased) {
      this.kill(); // the window was closed while the process started
    }
    return started.streams;
  }

  #options(): LanguageClientOptions {
    return {
      documentSelector: NOTES,
      outputChannel: this.output,
      initializationOptions: this.launch.settings,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
      middleware: {
        didOpen: async (document, next) => {
          await next(document);
          await this.#unsaved.report(document);
        },
        didClose: async (document, next) => {
          await this.notes.operations.end(document);
          await next(document);
        },
        // VS Code's own outline shows the headings of a note: a second one would repeat them.
        provideDocumentSymbols: () => undefined,
        provideDocumentLinks: async (document, token, next) => withTranscripts(await next(document, token)),
      },
      connectionOptions: {
        messageStrategy: {
          handleMessage: (message, next) => {
            const { method, params } = message as { method?: string; params?: ShowMessageParams };
            if (method === ShowMessageNotification.method && params !== undefined) {
              const severity = SEVERITIES[params.type] ?? "info";
              this.listener.notice({ kind: "message", severity, message: params.message });
            } else {
              next(message);
            }
          },
        },
      },
    };
  }
}

/** Links to sessions lead to their transcripts, which are easier to read than the logs that the server would name. */
function withTranscripts(links: vscode.DocumentLink[] | null | undefined): typeof links {
  for (const link of links ?? []) {
    const { data } = link as { data?: Partial<SessionParams> };
    if (data?.provider !== undefined && data.sessionId !== undefined) {
      const { provider, sessionId } = data;
      link.target = transcriptUri({ provider, sessionId });
      link.tooltip = "Open the whole conversation";
    }
  }
  return links;
}

/** The setting that the server rejected in its answer to `initialize`, if that is why the start failed. */
export function rejectedSetting(error: unknown): ReturnType<typeof settingFault> {
  return settingFault((error as { data?: unknown } | undefined)?.data);
}
