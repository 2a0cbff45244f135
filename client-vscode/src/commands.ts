// The commands, one function each. Rule: when the server is stopped, each says so and offers to start it.

import { promises as fs } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { captureDirectory, fileName } from "./destination";
import type { Feedback } from "./feedback";
import type { MemoryView } from "./memoryView";
import { Method, type CommandName, type CommandOutcome, type SessionStatus } from "./protocol";
import type { Server } from "./server";
import { workspaceSessions } from "./sessionList";
import { describe, forPicking, isRecording, titleOf, type Entry } from "./sessions";
import type { SessionsView } from "./sessionsView";
import { assistantName } from "./text";
import type { Transcripts } from "./transcripts";

interface Parts {
  server: Server;
  sessions: SessionsView;
  memory: MemoryView;
  feedback: Feedback;
  transcripts: Transcripts;
  output: vscode.LogOutputChannel;
}

interface SessionItem extends vscode.QuickPickItem {
  session: SessionStatus;
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
    showMemory: async () => parts.memory.show(),
    openLastCapture: () => openLastCapture(parts),
    showLog: async () => parts.output.show(),
    restartServer: () => parts.server.restart(),
    raiseLimit: () => parts.feedback.raiseLimit(),
    startServer: () => parts.server.start(),
    refreshSessions: async () => (await isRunning(parts)) && (await parts.sessions.refresh()),
  };
  return vscode.Disposable.from(...Object.entries(commands).map(([name, command]) => vscode.commands.registerCommand(`kato.${name}`, (entry?: Entry) => command(entry).catch((error: unknown) => told(error)))));
}

async function told(error: unknown): Promise<void> {
  await vscode.window.showErrorMessage(`Kato: ${error instanceof Error ? error.message : String(error)}`);
}

/** Offers to start a server that is stopped; whether it runs then. */
async function isRunning({ server, feedback }: Parts): Promise<boolean> {
  if (server.state.kind === "starting") {
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: "Kato's server is starting…" }, () => server.start());
  } else if (server.state.kind === "overBudget") {
    const chosen = await vscode.window.showWarningMessage("Kato's server is stopped: one conversation outgrew its memory limit.", "Raise limit…", "Restart");
    await (chosen === "Raise limit…" ? feedback.raiseLimit() : chosen === "Restart" ? server.restart() : undefined);
    return chosen !== undefined && runs(server);
  } else if (server.state.kind === "stopped") {
    const chosen = await vscode.window.showWarningMessage(`Kato's server is stopped${server.state.reason === undefined ? "" : `: ${server.state.reason}`}.`, "Start");
    await (chosen === "Start" ? server.start() : undefined);
    return chosen !== undefined && runs(server);
  }
  return runs(server);
}

function runs(server: Server): boolean {
  return server.state.kind === "running";
}

/** The session of the row that the command was called on, else one that the user picks, the most recent first. */
async function pick(parts: Parts, entry: Entry | undefined, title: string, wanted: (session: SessionStatus) => boolean = () => true): Promise<SessionStatus | undefined> {
  if (!(await isRunning(parts))) {
    return undefined;
  }
  if (entry?.kind === "session") {
    return entry.session;
  }
  const sessions = forPicking(await workspaceSessions(parts.server)).filter(wanted);
  if (sessions.length === 0) {
    await vscode.window.showInformationMessage(`Kato: no conversation of this workspace ${wanted === isRecording ? "is being recorded" : "is known yet"}.`);
    return undefined;
  }
  if (sessions.length === 1 && wanted === isRecording) {
    return sessions[0];
  }
  const chosen = await vscode.window.showQuickPick<SessionItem>(items(sessions), { title, placeHolder: "Which conversation?", matchOnDescription: true, matchOnDetail: true });
  return chosen?.session;
}

function items(sessions: readonly SessionStatus[]): SessionItem[] {
  const now = Date.now();
  return sessions.map((session) => ({
    session,
    label: `$(${isRecording(session) ? "record" : "comment-discussion"}) ${titleOf(session)}`,
    description: assistantName(session.provider),
    detail: describe(session, now),
  }));
}

async function execute(parts: Parts, command: CommandName, { provider, sessionId }: SessionStatus, more: { path?: string; format?: string } = {}): Promise<CommandOutcome> {
  return parts.server.request<CommandOutcome>(Method.executeCommand, { command: `kato.${command}`, arguments: [{ provider, sessionId, ...more }] });
}

async function capture(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Capture Conversation");
  const destination = session && (await askPath(session, "Kato: Capture Conversation", "md"));
  if (session !== undefined && destination !== undefined) {
    await open(await execute(parts, "capture", session, destination === "" ? {} : { path: destination }));
  }
}

async function exportConversation(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Export");
  if (session === undefined) {
    return;
  }
  const formats = [
    { label: "Markdown", detail: "A note to read, without recording what follows", extension: "md", format: "markdown" },
    { label: "JSON Lines", detail: "Every event, a line each, with all its fields", extension: "jsonl", format: "jsonl" },
  ];
  const format = await vscode.window.showQuickPick(formats, { title: "Kato: Export", placeHolder: "In which format?" });
  const destination = format && (await askPath(session, "Kato: Export", format.extension));
  if (format !== undefined && destination !== undefined && destination !== "") {
    await open(await execute(parts, "export", session, { path: destination, format: format.format }));
  }
}

async function record(parts: Parts, entry?: Entry): Promise<void> {
  const session = await pick(parts, entry, "Kato: Record", (one) => !isRecording(one));
  const outcome = session && (await execute(parts, "record", session));
  if (outcome !== undefined && outcome.status !== "error" && outcome.outputPath !== undefined) {
    await offerToOpen(`Kato records “${titleOf(session as SessionStatus)}” to ${path.basename(outcome.outputPath)}.`, outcome.outputPath);
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

async function openLastCapture({ feedback }: Parts): Promise<void> {
  const file = feedback.lastCapture;
  if (file === undefined) {
    await vscode.window.showInformationMessage("Kato: nothing was captured in this workspace yet.");
  } else {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  }
}

async function showSessions(parts: Parts): Promise<void> {
  const session = await pick(parts, undefined, "Kato: Sessions");
  if (session === undefined) {
    return;
  }
  const entry: Entry = { kind: "session", id: "", session, label: "", description: "", tooltip: "", recording: isRecording(session), children: [] };
  const actions = [
    { label: "$(save) Capture…", run: () => capture(parts, entry) },
    entry.recording ? { label: "$(debug-stop) Stop Recording", run: () => stopRecording(parts, entry) } : { label: "$(record) Record", run: () => record(parts, entry) },
    ...(session.recording === undefined ? [] : [{ label: "$(go-to-file) Open Note", run: () => openRecording(entry) }]),
    { label: "$(export) Export…", run: () => exportConversation(parts, entry) },
    { label: "$(open-preview) Open as Markdown", run: () => openSession(parts, entry) },
  ];
  const action = await vscode.window.showQuickPick(actions, { title: titleOf(session), placeHolder: describe(session, Date.now()) });
  await action?.run();
}

/** A path that the user agrees to; "" lets the server choose where nothing can be proposed; undefined: cancelled. */
async function askPath(session: SessionStatus, title: string, extension: string): Promise<string | undefined> {
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file");
  const setting = vscode.workspace.getConfiguration("kato", folder?.uri).get<string>("captureDirectory", "");
  const directory = captureDirectory(setting, folder?.uri.fsPath, os.homedir());
  const name = fileName(titleOf(session), new Date(session.lastMessageAt ?? session.updatedAt), extension);
  const proposed = session.recording?.outputPath !== undefined && extension === "md" ? session.recording.outputPath : directory === undefined ? "" : path.join(directory, name);
  const start = proposed.length - path.basename(proposed).length;
  const chosen = await vscode.window.showInputBox({
    title,
    prompt: proposed === "" ? "An absolute path; leave it empty to let Kato choose." : "Where to? Enter takes what is proposed.",
    value: proposed,
    valueSelection: [start, Math.max(start, proposed.length - extension.length - 1)],
    validateInput: async (value) => ((await isOther(value.trim(), proposed)) ? { message: "This file is there already. Text in it that Kato did not write is copied to a backup first.", severity: vscode.InputBoxValidationSeverity.Info } : undefined),
  });
  return chosen?.trim();
}

async function isOther(file: string, proposed: string): Promise<boolean> {
  return file !== "" && file !== proposed && path.isAbsolute(file) && fs.access(file).then(() => true, () => false);
}

/** The note; a failure was told by whoever hears of every outcome. */
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
