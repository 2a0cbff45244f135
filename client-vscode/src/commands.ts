// The commands, one function each. Rule: when the server is stopped, each command reports it and offers to start the server.

import * as path from "node:path";
import * as vscode from "vscode";
import { filterSessions, showAll, sortSessions } from "./arranging";
import { showContexts } from "./contexts";
import type { Feedback } from "./feedback";
import type { Hooks } from "./hooks";
import type { MemoryView } from "./memoryView";
import { offer, relative, reported } from "./offer";
import type { Outcomes } from "./outcomes";
import { askPath, BACK, isThere, type Format, type Step } from "./pathPrompt";
import { candidates, choose, type SessionItem } from "./picking";
import { commandParams, ExecuteCommand, type CommandName } from "./protocol";
import { isRunning } from "./readiness";
import { searchConversations } from "./search";
import type { Server } from "./server";
import { ConversationList } from "./sessionList";
import { describe, isRecording, keyOf, type Conversation } from "./sessions";
import type { SessionsView } from "./sessionsView";
import type { CommandOutcome, CommandParams, RecordingStatus, SessionParams } from "./structs";
import { count } from "./text";
import type { Transcripts } from "./transcripts";
import type { Shown, TranscriptView } from "./transcriptView";

const CAPTURE = "Kato: Capture Conversation";
const EXPORT = "Kato: Export Conversation";

interface Parts {
  server: Server;
  sessions: SessionsView;
  memory: MemoryView;
  feedback: Feedback;
  outcomes: Outcomes;
  transcripts: Transcripts;
  preview: TranscriptView;
  hooks: Hooks;
  output: vscode.LogOutputChannel;
}

/** What a command is called with: a row of the sessions view, or a conversation that is shown. */
interface Called {
  kind: string;
  session?: Target;
}

/** A conversation, as far as it is known where a command is called. */
type Target = SessionParams & { title?: string; cwd?: string; at?: string; recording?: RecordingStatus };

interface Action {
  icon: string;
  label: string;
  run: () => Promise<unknown>;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const commands: Record<string, (called?: Called) => Promise<unknown>> = {
    captureConversation: (called) => capture(parts, called),
    recordConversation: (called) => record(parts, called),
    stopRecording: (called) => stopRecording(parts, called),
    exportConversation: (called) => exportConversation(parts, called),
    stopKeeping: (called) => switchKeeping(parts, called, "off"),
    keepAgain: (called) => switchKeeping(parts, called, "on"),
    openSession: (called) => openSession(parts, called),
    openMarkdown: (called) => openMarkdown(parts, called),
    openRecording: (called) => openRecording(called?.session),
    searchConversations: async () => (await isRunning(parts)) && search(parts),
    showSessions: () => showSessions(parts),
    filterSessions: () => filterSessions(parts.sessions),
    clearSessionsFilter: () => {
      showAll(parts.sessions);
      return Promise.resolve();
    },
    sortSessions: () => sortSessions(parts.sessions),
    loadMoreSessions: async () => (await isRunning(parts)) && (await parts.sessions.loadMore()),
    installHooks: async () => (await isRunning(parts)) && (await parts.hooks.install()),
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
    showContexts(parts.server, parts.outcomes),
    ...Object.entries(commands).map(([name, command]) =>
      vscode.commands.registerCommand(`kato.${name}`, (called?: Called) =>
        command(called).catch((error: unknown) => reportError(error)),
      ),
    ),
  );
}

async function reportError(error: unknown): Promise<void> {
  await vscode.window.showErrorMessage(`Kato: ${error instanceof Error ? error.message : String(error)}`);
}

/** The conversation on which the command was called, otherwise one that the user chooses from a list, the most recent first. */
async function pick(
  parts: Parts,
  called: Called | undefined,
  step: Step,
  wanted: (session: Conversation) => boolean = () => true,
): Promise<Target | undefined> {
  if (!(await isRunning(parts))) {
    return undefined;
  }
  if (called?.session !== undefined) {
    return withTitle(parts.server, called.session);
  }
  const recorded = wanted === isRecording ? await candidates(parts.server, isRecording) : undefined;
  if (recorded !== undefined && recorded.length <= 1) {
    return recorded[0]?.session;
  }
  const chosen = await choose<SessionItem>(step, "Which conversation?", async (show) => {
    show(recorded ?? (await candidates(parts.server, wanted, show)));
  });
  return chosen === BACK ? undefined : chosen?.session;
}

/** A conversation with what the server knows of it, where a command is called with its id alone. */
async function withTitle(server: Server, session: Target): Promise<Target> {
  if (session.title !== undefined) {
    return session;
  }
  const list = new ConversationList(server);
  await list.refreshHeld().catch(() => undefined);
  return { ...list.conversations.find((one) => keyOf(one) === keyOf(session)), ...session };
}

async function execute(
  parts: Parts,
  command: CommandName,
  { provider, sessionId }: SessionParams,
  more: Pick<CommandParams, "path" | "format"> = {},
): Promise<CommandOutcome> {
  return parts.server.request(ExecuteCommand, commandParams(command, { provider, sessionId, ...more }));
}

async function capture(parts: Parts, called?: Called): Promise<void> {
  const isAsked = called?.session === undefined;
  for (;;) {
    const session = await pick(parts, called, { title: CAPTURE, step: 1, of: 2 });
    if (session === undefined) {
      return;
    }
    const step = { title: CAPTURE, ...(isAsked ? { step: 2, of: 2 } : {}) };
    const destination = await askPath(parts.server, session, step);
    if (destination !== BACK) {
      if (destination !== undefined) {
        await open(await execute(parts, "capture", session, { path: destination }));
      }
      return;
    }
  }
}

const FORMATS: readonly (vscode.QuickPickItem & { format: Format })[] = [
  { label: "Markdown", detail: "A note to read, without recording what follows", format: "markdown" },
  { label: "JSON Lines", detail: "Every event, a line each, with all its fields", format: "jsonl" },
];

async function exportConversation(parts: Parts, called?: Called): Promise<void> {
  // Called on a conversation, the first question is the second one.
  const before = called?.session === undefined ? 1 : 0;
  const step = (number: number): Step => ({ title: EXPORT, step: before + number, of: before + 2 });
  for (;;) {
    const session = await pick(parts, called, { title: EXPORT, step: 1, of: 3 });
    if (session === undefined) {
      return;
    }
    const answer = await askFormatAndPath(parts, session, step);
    if (answer !== BACK) {
      if (answer !== undefined) {
        const outcome = await execute(parts, "export", session, answer);
        await open(outcome);
        reportExport(outcome);
      }
      return;
    }
  }
}

async function askFormatAndPath(
  parts: Parts,
  session: Target,
  step: (number: number) => Step,
): Promise<{ path: string; format: Format } | typeof BACK | undefined> {
  for (;;) {
    const chosen = await choose<(typeof FORMATS)[number]>(step(1), "In which format?", (show) => show(FORMATS));
    if (chosen === BACK || chosen === undefined) {
      return chosen;
    }
    const file = await askPath(parts.server, session, step(2), chosen.format);
    if (file !== BACK) {
      return file === undefined ? undefined : { path: file, format: chosen.format };
    }
  }
}

function reportExport({ status, outputPath, eventsWritten, redactions }: CommandOutcome): void {
  if (status === "error" || outputPath === undefined) {
    return; // Outcomes shows a failure
  }
  const events = eventsWritten === undefined ? "the conversation" : count(eventsWritten, "event");
  const secrets = redactions === undefined ? "" : ` ${count(redactions, "secret")} in it are masked.`;
  offerToOpen(`Kato exported ${events} to ${relative(outputPath)}.${secrets}`, outputPath); // with a button, it is not cut
}

async function record(parts: Parts, called?: Called): Promise<void> {
  const session = await pick(parts, called, { title: "Kato: Record Conversation" }, (one) => !isRecording(one));
  if (session === undefined) {
    return;
  }
  const outcome = await execute(parts, "record", session);
  if (outcome.status !== "error" && outcome.outputPath !== undefined) {
    offerToOpen(`Kato records “${titleOf(session)}” to ${path.basename(outcome.outputPath)}.`, outcome.outputPath);
  }
}

async function stopRecording(parts: Parts, called?: Called): Promise<void> {
  const session = await pick(parts, called, { title: "Kato: Stop Recording" }, isRecording);
  if (session === undefined) {
    return;
  }
  const { status, outputPath } = await execute(parts, "stop", session);
  const file = outputPath ?? session.recording?.outputPath;
  if (status === "ok") {
    const where = file === undefined ? "" : ` to ${relative(file)}`;
    offerToOpen(`Kato stopped recording “${titleOf(session)}”${where}.`, file);
  } else if (status === "noop") {
    void vscode.window.showInformationMessage(`Kato does not record “${titleOf(session)}”.`);
  }
}

/** Lets Kato keep nothing of a conversation from now on, or keep it again. */
async function switchKeeping(parts: Parts, called: Called | undefined, command: "off" | "on"): Promise<void> {
  const title = command === "off" ? "Kato: Stop Keeping Conversation" : "Kato: Keep Conversation Again";
  const session = await pick(parts, called, { title }, ({ notKept }) => (notKept === "off") === (command === "on"));
  if (session === undefined) {
    return;
  }
  const { status, message } = await execute(parts, command, session);
  if (status !== "error") {
    const isOff = command === "off";
    const said = message ?? (isOff ? "Kato keeps nothing of it already." : "Kato keeps it already.");
    const undo = (): Promise<void> => switchKeeping(parts, { kind: "session", session }, isOff ? "on" : "off");
    reported(offer(`“${titleOf(session)}”: ${said}`, { [isOff ? "Keep Again" : "Stop Keeping"]: undo }, "info"));
  }
}

function titleOf(session: Target): string {
  return session.title ?? session.sessionId;
}

function shown({ provider, sessionId, title, cwd, at }: Target): Shown {
  return {
    provider,
    sessionId,
    title: title ?? sessionId,
    ...(cwd === undefined ? {} : { cwd }),
    ...(at === undefined ? {} : { at }),
  };
}

async function openSession(parts: Parts, called?: Called): Promise<void> {
  const session = await pick(parts, called, { title: "Kato: Open Conversation" });
  if (session !== undefined) {
    await parts.preview.show(shown(session));
  }
}

async function openMarkdown(parts: Parts, called?: Called): Promise<void> {
  const session = await pick(parts, called, { title: "Kato: Open as Markdown" });
  if (session !== undefined) {
    await parts.transcripts.open(shown(session));
  }
}

function search(parts: Parts): void {
  searchConversations({
    server: parts.server,
    open: (found, place) => parts.preview.show(shown(found), place),
    capture: (found) => capture(parts, { kind: "session", session: found }),
  });
}

async function openRecording(session?: Target): Promise<void> {
  const file = session?.recording?.outputPath;
  if (file === undefined) {
    return;
  }
  if (await isThere(file)) {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  } else {
    await vscode.window.showInformationMessage(`The note does not exist any more: ${relative(file)}.`);
  }
}

async function openLastCapture({ outcomes }: Parts): Promise<void> {
  const file = outcomes.lastCapture;
  if (file === undefined) {
    await vscode.window.showInformationMessage("Kato has not captured a conversation in this workspace yet.");
  } else if (await isThere(file)) {
    await vscode.window.showTextDocument(vscode.Uri.file(file));
  } else {
    await vscode.window.showInformationMessage(
      `The note of the last capture does not exist any more: ${relative(file)}.`,
    );
  }
}

/** The list that the status bar opens: the sessions, each with its actions as buttons or, after Enter, as a list. */
async function showSessions(parts: Parts): Promise<void> {
  const found = (await isRunning(parts)) ? await candidates(parts.server) : [];
  if (found.length === 0) {
    return;
  }
  const list = vscode.window.createQuickPick<SessionItem & { actions: Action[] }>();
  list.title = "Kato: Sessions";
  list.placeholder = "Which conversation?";
  list.matchOnDescription = list.matchOnDetail = true;
  list.items = found.map((item) => {
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

async function chooseAction(session: Conversation, actions: readonly Action[]): Promise<void> {
  const named = actions.map((action) => ({ label: `$(${action.icon}) ${action.label}`, action }));
  const chosen = await vscode.window.showQuickPick(named, {
    title: session.title,
    placeHolder: describe(session, Date.now()),
  });
  await chosen?.action.run();
}

function actionsOn(parts: Parts, session: Conversation): Action[] {
  const called = { kind: "session", session };
  return [
    { icon: "save", label: "Capture…", run: () => capture(parts, called) },
    isRecording(session)
      ? { icon: "debug-stop", label: "Stop Recording", run: () => stopRecording(parts, called) }
      : { icon: "record", label: "Record", run: () => record(parts, called) },
    ...(session.recording === undefined
      ? []
      : [{ icon: "go-to-file", label: "Open Note", run: () => openRecording(session) }]),
    { icon: "export", label: "Export…", run: () => exportConversation(parts, called) },
    { icon: "open-preview", label: "Open Conversation", run: () => openSession(parts, called) },
  ];
}

/** Opens the note. Outcomes shows a failure. */
async function open({ status, outputPath }: CommandOutcome): Promise<void> {
  if (status !== "error" && outputPath !== undefined) {
    await vscode.window.showTextDocument(vscode.Uri.file(outputPath));
  }
}

/** Shows a message with a button that opens the file. The command is over: other extensions may wait for its end. */
function offerToOpen(message: string, file: string | undefined): void {
  const open = file === undefined ? {} : { Open: () => vscode.window.showTextDocument(vscode.Uri.file(file)) };
  reported(offer(message, open, "info"));
}
