// The commands, one function each. Rule: when the server is stopped, each command reports it and offers to start the server.

import { promises as fs } from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import { unused } from "./destination";
import type { Feedback } from "./feedback";
import type { MemoryView } from "./memoryView";
import type { Outcomes } from "./outcomes";
import { commandParams, ExecuteCommand, FindDestination, type CommandName } from "./protocol";
import type { Server } from "./server";
import { NO_SESSIONS, workspaceSessions, type Listing } from "./sessionList";
import { describe, forPicking, isRecording, titleOf, type Entry } from "./sessions";
import type { SessionsView } from "./sessionsView";
import type { CommandOutcome, CommandParams, SessionStatus } from "./structs";
import type { Transcripts } from "./transcripts";

const CAPTURE = "Kato: Capture Conversation";

interface Parts {
  server: Server;
  sessions: SessionsView;
  memory: MemoryView;
  feedback: Feedback;
  outcomes: Outcomes;
  transcripts: Transcripts;
  output: vscode.LogOutputChannel;
}

interface SessionItem extends vscode.QuickPickItem {
  session: SessionStatus;
}

interface Action {
  icon: string;
  label: string;
  run: () => Promise<unknown>;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const commands: Record<string, (entry?: Entry) => Promise<unknown>> = {
    captureConversation: (entry) => capture(parts, entry),
    recordConversation: (entry) => record(parts, entry),
    stopRecording: (entry) => stopRecording(parts, entry),
    exportConversation: (entry) => exportConversation(parts, entry),
    openSession: (entry) => openSession(parts, entry),
    openRecording: (entry) => openRecording(entry),
    showSessions: () => showSessions(parts),
    showMemory: async () => {
      parts.memory.show(); // it shows earlier figures while the server is stopped
      await isRunning(parts);
    },
    openLastCapture: () => openLastCapture(parts),
    showLog: () => {
      parts.output.show();
      return Promise.resolve();
    },
    restartServer: () => parts.server.restart(),
    raiseLimit: () => parts.feedback.raiseLimit(),
    startServer: () => parts.server.start(),
    refreshSessions: async () => (await isRunning(parts)) && (await parts.sessions.refresh()),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([name, command]) =>
      vscode.commands.registerCommand(`kato.${name}`, (entry?: Entry) =>
        command(entry).catch((error: unknown) => reportError(error)),
      ),
    ),
  );
}

async function reportError(error: unknown): Promise<void> {
  await vscode.window.showErrorMessage(`Kato: ${error instanceof Error ? error.message : String(error)}`);
}

/** Whether the server runs, after an offer to start it if it is stopped. */
async function isRunning({ server, feedback, output }: Parts): Promise<boolean> {
  if (server.state.kind === "starting") {
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: "Kato's server is starting…" },
      () => server.start(),
    );
  } else if (server.state.kind === "overBudget") {
    const chosen = await vscode.window.showWarningMessage(stopped(server), "Raise Limit…", "Restart");
    await (chosen === "Raise Limit…" ? feedback.raiseLimit() : chosen === "Restart" ? server.restart() : undefined);
    return chosen !== undefined && runs(server);
  } else if (server.state.kind === "stopped") {
    const chosen = await vscode.window.showWarningMessage(stopped(server), "Start", "Show Log");
    if (chosen === "Show Log") {
      output.show();
      return false;
    }
    await (chosen === "Start" ? server.start() : undefined);
    return chosen !== undefined && runs(server);
  }
  return runs(server);
}

function stopped({ state: { kind, reason } }: Server): string {
  return reason === undefined
    ? "Kato's server is stopped."
    : `${kind === "overBudget" ? "Kato stopped. " : ""}${reason}`;
}

function runs(server: Server): boolean {
  return server.state.kind === "running";
}

/** The session of the row on which the command was called, otherwise one that the user picks from a list, the most recent first. */
async function pick(
  parts: Parts,
  entry: Entry | undefined,
  title: string,
  wanted: (session: SessionStatus) => boolean = () => true,
): Promise<SessionStatus | undefined> {
  if (!(await isRunning(parts))) {
    return undefined;
  }
  if (entry?.kind === "session") {
    return entry.session;
  }
  const listing = await candidates(parts, wanted);
  if (listing.sessions.length <= 1 && wanted === isRecording) {
    return listing.sessions[0];
  }
  const chosen =
    listing.sessions.length > 0 &&
    (await vscode.window.showQuickPick<SessionItem>(items(listing), { title, ...ASKED }));
  return chosen ? chosen.session : undefined;
}

const ASKED = { placeHolder: "Which conversation?", matchOnDescription: true, matchOnDetail: true };

/** The conversations of this window to choose from. Informs the user if there are none. */
async function candidates(parts: Parts, wanted: (session: SessionStatus) => boolean): Promise<Listing> {
  const { sessions: all, nameOf } = await workspaceSessions(parts.server);
  const sessions = forPicking(all).filter(wanted);
  if (sessions.length === 0) {
    void vscode.window.showInformationMessage(
      wanted === isRecording
        ? "Kato records no conversation of this workspace."
        : "Kato has not found a conversation of this workspace yet.",
    );
  }
  return { sessions, nameOf };
}

function items({ sessions, nameOf }: Listing): SessionItem[] {
  const now = Date.now();
  return sessions.map((session) => ({
    session,
    label: `$(${isRecording(session) ? "record" : "comment-discussion"}) ${titleOf(session)}`,
    description: nameOf(session.provider),
    detail: describe(session, now),
  }));
}

async function execute(
  parts: Parts,
  command: CommandName,
  { provider, sessionId }: SessionStatus,
  more: Pick<CommandParams, "path" | "format"> = {},
): Promise<CommandOutcome> {
  return parts.server.request(ExecuteCommand, commandParams(command, { provider, sessionId, ...more }));
}

async function capture(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, CAPTURE);
  const destination = session && (await askPath(parts, session, CAPTURE));
  if (session !== undefined && destination !== undefined) {
    await open(await execute(parts, "capture", session, { path: destination }));
  }
}

async function exportConversation(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Export");
  if (session === undefined) {
    return;
  }
  const formats = [
    { label: "Markdown", detail: "A note to read, without recording what follows", format: "markdown" },
    { label: "JSON Lines", detail: "Every event, a line each, with all its fields", format: "jsonl" },
  ] as const;
  const format = await vscode.window.showQuickPick(formats, { title: "Kato: Export", placeHolder: "In which format?" });
  const destination = format && (await askPath(parts, session, "Kato: Export", format.format));
  if (format !== undefined && destination !== undefined) {
    await open(await execute(parts, "export", session, { path: destination, format: format.format }));
  }
}

async function record(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Record", (one) => !isRecording(one));
  if (session === undefined) {
    return;
  }
  const outcome = await execute(parts, "record", session);
  if (outcome.status !== "error" && outcome.outputPath !== undefined) {
    await offerToOpen(
      `Kato records “${titleOf(session)}” to ${path.basename(outcome.outputPath)}.`,
      outcome.outputPath,
    );
  }
}

async function stopRecording(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Stop Recording", isRecording);
  if (session !== undefined) {
    await execute(parts, "stop", session);
  }
}

async function openSession(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Open");
  if (session !== undefined) {
    await parts.transcripts.open(session);
  }
}

async function openRecording(entry?: Entry): Promise<void> {
  const file = entry?.kind === "session" ? entry.session.recording?.outputPath : undefined;
  if (file !== undefined) {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  }
}

async function openLastCapture({ outcomes }: Parts): Promise<void> {
  const file = outcomes.lastCapture;
  if (file === undefined) {
    await vscode.window.showInformationMessage("Kato has not captured a conversation in this workspace yet.");
  } else if (await isThere(file)) {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  } else {
    await vscode.window.showInformationMessage(`The note of the last capture does not exist any more: ${file}.`);
  }
}

/** The list that the status bar opens: the sessions, each with its actions as buttons or, after Enter, as a list. */
async function showSessions(parts: Parts): Promise<void> {
  const listing = (await isRunning(parts)) ? await candidates(parts, () => true) : NO_SESSIONS;
  if (listing.sessions.length === 0) {
    return;
  }
  const list = vscode.window.createQuickPick<SessionItem & { actions: Action[] }>();
  list.title = "Kato: Sessions";
  list.placeholder = "Which conversation?";
  list.matchOnDescription = list.matchOnDetail = true;
  list.items = items(listing).map((item) => {
    const actions = actionsOn(parts, item.session);
    return {
      ...item,
      actions,
      buttons: actions.map(({ icon, label }) => ({ iconPath: new vscode.ThemeIcon(icon), tooltip: label })),
    };
  });
  const run = (action: Action | undefined): void => {
    list.hide();
    action?.run().catch(reportError);
  };
  list.onDidTriggerItemButton(({ item, button }) => run(item.actions.find(({ label }) => label === button.tooltip)));
  list.onDidAccept(() => {
    const [item] = list.selectedItems;
    run(item && { icon: "", label: "", run: () => chooseAction(item.session, item.actions) });
  });
  list.onDidHide(() => list.dispose());
  list.show();
}

async function chooseAction(session: SessionStatus, actions: readonly Action[]): Promise<void> {
  const named = actions.map((action) => ({ label: `$(${action.icon}) ${action.label}`, action }));
  const chosen = await vscode.window.showQuickPick(named, {
    title: titleOf(session),
    placeHolder: describe(session, Date.now()),
  });
  await chosen?.action.run();
}

function actionsOn(parts: Parts, session: SessionStatus): Action[] {
  const entry: Entry = {
    kind: "session",
    id: "",
    session,
    label: "",
    description: "",
    tooltip: "",
    recording: isRecording(session),
    children: [],
  };
  return [
    { icon: "save", label: "Capture…", run: () => capture(parts, entry) },
    entry.recording
      ? { icon: "debug-stop", label: "Stop Recording", run: () => stopRecording(parts, entry) }
      : { icon: "record", label: "Record", run: () => record(parts, entry) },
    ...(session.recording === undefined
      ? []
      : [{ icon: "go-to-file", label: "Open Note", run: () => openRecording(entry) }]),
    { icon: "export", label: "Export…", run: () => exportConversation(parts, entry) },
    { icon: "open-preview", label: "Open as Markdown", run: () => openSession(parts, entry) },
  ];
}

/** The path that the user confirms or enters; undefined if the user cancels. */
async function askPath(
  parts: Parts,
  session: SessionStatus,
  title: string,
  format?: "markdown" | "jsonl",
): Promise<string | undefined> {
  const proposed = await propose(parts, session, format);
  // A conversation has one note: a second capture goes there. An export gets a name that is free.
  const own = format === undefined ? session.recording?.outputPath : undefined;
  const start = proposed.length - path.basename(proposed).length;
  const chosen = await vscode.window.showInputBox({
    title,
    prompt: "The file to write.",
    value: proposed,
    valueSelection: [start, Math.max(start, proposed.length - path.extname(proposed).length)],
    validateInput: async (value) => {
      const file = value.trim();
      if (file === "") {
        return "The path of the file to write.";
      }
      const isOther = file !== own && path.isAbsolute(file) && (await isThere(file));
      return isOther
        ? {
            message: "This file exists. Kato copies text that it did not write to a backup first.",
            severity: vscode.InputBoxValidationSeverity.Info,
          }
        : undefined;
    },
  });
  return chosen?.trim();
}

/** The path that the server proposes, the same as for a command in the chat. */
async function propose(
  parts: Parts,
  { provider, sessionId }: SessionStatus,
  format?: "markdown" | "jsonl",
): Promise<string> {
  const asked = { provider, sessionId, ...(format === undefined ? {} : { format }) };
  const { path: proposed } = await parts.server.request(FindDestination, asked);
  return format === undefined ? proposed : unused(proposed, isThere);
}

async function isThere(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

/** Opens the note. Outcomes shows a failure. */
async function open({ status, outputPath }: CommandOutcome): Promise<void> {
  if (status !== "error" && outputPath !== undefined) {
    await vscode.window.showTextDocument(vscode.Uri.file(outputPath));
  }
}

async function offerToOpen(message: string, file: string): Promise<void> {
  if ((await vscode.window.showInformationMessage(message, "Open")) !== undefined) {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  }
}
