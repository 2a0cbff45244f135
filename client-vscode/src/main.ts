// Activation: creates the parts and connects them. Nothing here waits for the server.

import * as path from "node:path";
import * as vscode from "vscode";
import type { KatoApi } from "../api";
import { makeApi } from "./api";
import { registerCommands } from "./commands";
import { Feedback } from "./feedback";
import { workspaceFolders } from "./folders";
import { Hooks } from "./hooks";
import type { Place, Progress } from "./install";
import { offerMcpServer } from "./mcp";
import { MemoryView } from "./memoryView";
import { reported } from "./offer";
import { Outcomes } from "./outcomes";
import { SettingsChanged } from "./protocol";
import { Relay } from "./relay";
import { Samples } from "./samples";
import { Server } from "./server";
import { SessionsView } from "./sessionsView";
import {
  change,
  chosen,
  contributed,
  OLD_DIRECTORY,
  renamed,
  serverKeys,
  type Bounds,
  type Category,
  type Values,
} from "./settings";
import { showStatus } from "./statusItems";
import type { CommandOutcome, Notice } from "./structs";
import { Transcripts } from "./transcripts";
import { welcome } from "./welcome";
import { TranscriptView } from "./transcriptView";

let running: Server | undefined;

export function activate(context: vscode.ExtensionContext): KatoApi {
  const output = vscode.window.createOutputChannel("Kato", { log: true });
  context.subscriptions.push(output);
  try {
    return start(context, output);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    output.error(reason);
    void vscode.window.showErrorMessage(`Kato could not be activated: ${reason}`);
    throw error;
  }
}

/** Ends the server. The editor waits a few seconds for this. */
export async function deactivate(): Promise<void> {
  await running?.close();
}

function start(context: vscode.ExtensionContext, output: vscode.LogOutputChannel): KatoApi {
  const manifest = context.extension.packageJSON as Manifest;
  const properties = contributed(manifest.contributes.configuration);
  log(context, manifest.version, output);
  const keys = serverKeys(Object.keys(properties));
  const defaults = Object.fromEntries(keys.map((key) => [key, properties[`kato.${key}`]?.default]));
  const settings = (): Values => {
    const configuration = vscode.workspace.getConfiguration("kato");
    return renamed(
      chosen(keys, (key) => configuration.inspect(key)),
      configuration.inspect(OLD_DIRECTORY),
    );
  };

  const server = new Server(
    { place: () => place(context, manifest.version, output), settings, installing, waiting },
    output,
  );
  running = server;
  let isOffered = false;
  const sendSettings = async (): Promise<void> => {
    const { settings: changed, restart } = change(server.started, settings(), defaults);
    await server.notify(SettingsChanged, { settings: { kato: changed } });
    if (restart && !isOffered && server.state.kind === "running") {
      isOffered = true;
      void offerRestart(server).finally(() => (isOffered = false));
    }
  };

  const samples = new Samples();
  const sessions = new SessionsView(server, context.workspaceState);
  const memory = new MemoryView(server, samples, context.extensionUri);
  const relay = new Relay<News>(path.join(context.globalStorageUri.fsPath, "messages"), window, (news) =>
    reported(news.kind === "outcome" ? outcomes.show(news.outcome) : feedback.show(news.notice)),
  );
  const feedback = new Feedback(server, boundsOf(properties, "daemonMaxMemoryMb"), context.globalState, (notice) =>
    relay.publish({ kind: "notice", notice }),
  );
  const outcomes = new Outcomes(server, context.workspaceState, sendSettings, (outcome) =>
    relay.publish({ kind: "outcome", outcome }),
  );
  const transcripts = new Transcripts(server);
  const preview = new TranscriptView(server, context.extensionUri, (shown) => transcripts.open(shown));
  const hooks = new Hooks(server, context.globalState);
  context.subscriptions.push(
    server,
    server.onDidChangeStatus((status) => samples.add(status)),
    server.onDidChangeState(({ kind }) => {
      if (kind !== "running") {
        samples.stop(Date.now());
      }
    }),
    showStatus(server),
    welcome(server, context.globalState),
    relay,
    sessions,
    memory,
    feedback,
    outcomes,
    transcripts,
    preview,
    hooks,
    offerMcpServer(server, manifest.version, () => {
      const { stateDir } = settings();
      return typeof stateDir === "string" ? stateDir : "";
    }),
    registerCommands({ server, sessions, memory, feedback, outcomes, transcripts, preview, hooks, output }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("kato.server")) {
        void server.restart();
      } else if ([...keys, OLD_DIRECTORY].some((key) => event.affectsConfiguration(`kato.${key}`))) {
        // A server that stopped because of an invalid setting is started with the settings of now.
        void (server.state.kind === "stopped" ? server.start() : sendSettings());
      }
    }),
  );
  relay
    .listen()
    .catch((error: unknown) => output.warn(`Messages are shown in the window of their server: ${String(error)}`));
  void server.start();
  return makeApi(server);
}

/** The versions and the folders, for the reader of a log. */
function log(context: vscode.ExtensionContext, version: string, output: vscode.LogOutputChannel): void {
  output.info(
    `Kato's extension ${version}, ${vscode.env.appName} ${vscode.version}, ${process.platform} ${process.arch}, ${vscode.env.remoteName ?? "local"}`,
  );
  output.info(`Extension ${context.extensionPath}, its storage ${context.globalStorageUri.fsPath}`);
}

/** This window, for messages that are shown where the user is. */
const window = {
  hasFocus: (): boolean => vscode.window.state.focused,
  folders: workspaceFolders,
};

interface Manifest {
  version: string;
  contributes: { configuration: Category<Property>[] };
}

type Property = { default?: unknown } & Partial<Bounds>;
type Properties = Record<string, Property | undefined>;

/** What happened to a conversation, for the window where the user is. */
type News = { kind: "outcome"; outcome: CommandOutcome } | { kind: "notice"; notice: Notice };

function boundsOf(properties: Properties, key: string): Bounds {
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = properties[`kato.${key}`] ?? {};
  return { minimum, maximum };
}

async function offerRestart(server: Server): Promise<void> {
  const chosenAction = await vscode.window.showInformationMessage(
    "Kato uses the changed settings after its server restarts.",
    "Restart Now",
  );
  if (chosenAction !== undefined) {
    await server.restart();
  }
}

function place(
  context: vscode.ExtensionContext,
  version: string,
  output: vscode.LogOutputChannel,
): Omit<Place, "isDoubtful"> {
  const configuration = vscode.workspace.getConfiguration("kato.server");
  return {
    storage: context.globalStorageUri.fsPath,
    bundle: path.join(context.extensionPath, "server"),
    version,
    platform: process.platform,
    command: configuration.get<string[]>("command", []),
    python: configuration.get<string>("python", "").trim(),
    pythonOfEditor,
    log: (line) => output.info(line),
  };
}

async function installing(work: (progress: Progress) => Promise<void>): Promise<void> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: "Kato sets up its server (once)",
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (progress, token) => {
    const abort = new AbortController();
    const subscription = token.onCancellationRequested(() => abort.abort(new Error("cancelled")));
    try {
      await work({ report: (message) => progress.report({ message }), signal: abort.signal });
    } finally {
      subscription.dispose();
    }
  });
}

/** Shows that a process has not answered yet. Cancel ends it. */
function waiting(command: string, seconds: number, started: Promise<void>, stop: () => void): void {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `Kato's server has not answered for ${seconds} s`,
    cancellable: true,
  };
  void vscode.window.withProgress(options, async (progress, token) => {
    progress.report({
      message: `${command}. Recovering a damaged journal can take up to a minute. Cancel ends the server.`,
    });
    token.onCancellationRequested(stop);
    await started;
  });
}

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  environments?: {
    getActiveEnvironmentPath(): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
  };
}

async function pythonOfEditor(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  const environments = extension && (await extension.activate()).environments;
  const resolved = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath());
  return resolved?.executable.uri?.fsPath;
}
