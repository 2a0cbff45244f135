// Asks which conversation a command is about.

import * as vscode from "vscode";
import { BACK, type Step } from "./pathPrompt";
import type { Server } from "./server";
import { ConversationList, workspaceFolders } from "./sessionList";
import { describe, forPicking, isRecording, joined, type Conversation } from "./sessions";
import { folderShown } from "./sessionTree";
import type { NameOf } from "./text";

export interface SessionItem extends vscode.QuickPickItem {
  session: Conversation;
}

/**
 * The conversations of this window to choose from. Informs the user if there are none. `show` gets those that the server holds
 * before: the catalogue may have to read logs first.
 */
export async function candidates(
  server: Server,
  wanted: (session: Conversation) => boolean = () => true,
  show: (items: SessionItem[]) => void = () => undefined,
): Promise<SessionItem[]> {
  const list = new ConversationList(server);
  await list.refreshHeld();
  if (wanted !== isRecording) {
    show(items(forPicking(list.conversations).filter(wanted), list.nameOf));
    await list.refreshListed();
  }
  const found = forPicking(list.conversations).filter(wanted);
  if (found.length === 0) {
    void vscode.window.showInformationMessage(
      wanted === isRecording
        ? "Kato records no conversation of this workspace."
        : "Kato has not found a conversation of this workspace yet.",
    );
  }
  return items(found, list.nameOf);
}

function items(conversations: readonly Conversation[], nameOf: NameOf): SessionItem[] {
  const now = Date.now();
  const folders = workspaceFolders();
  return conversations.map((session) => ({
    session,
    label: `$(${isRecording(session) ? "record" : session.isDeleted ? "archive" : "comment-discussion"}) ${session.title}`,
    description: joined([nameOf(session.provider), folderShown(session.cwd, folders)]),
    detail: describe(session, now),
  }));
}

/**
 * The item that the user chooses; BACK for the question before; undefined if the user cancels. `fill` shows items, also several
 * times; if the last ones are none, the list is closed.
 */
export function choose<T extends vscode.QuickPickItem>(
  step: Step,
  placeholder: string,
  fill: (show: (items: readonly T[]) => void) => Promise<void> | void,
): Promise<T | typeof BACK | undefined> {
  const list = vscode.window.createQuickPick<T>();
  list.title = step.title;
  list.placeholder = placeholder;
  list.matchOnDescription = list.matchOnDetail = true;
  if (step.step !== undefined && step.of !== undefined) {
    list.step = step.step;
    list.totalSteps = step.of;
    list.buttons = step.step > 1 ? [vscode.QuickInputButtons.Back] : [];
  }
  return new Promise((resolve, reject) => {
    list.onDidAccept(() => {
      const item = list.selectedItems[0] ?? list.activeItems[0];
      if (item !== undefined) {
        resolve(item);
        list.hide();
      }
    });
    list.onDidTriggerButton(() => {
      resolve(BACK);
      list.hide();
    });
    list.onDidHide(() => {
      resolve(undefined);
      list.dispose();
    });
    list.busy = true;
    list.show();
    const show = (found: readonly T[]): void => {
      const [active] = list.activeItems;
      const again = found.find(
        ({ label, description }) => label === active?.label && description === active.description,
      );
      list.items = found;
      if (again !== undefined) {
        list.activeItems = [again]; // otherwise the editor makes the first one active
      }
    };
    Promise.resolve(fill(show)).then(() => {
      list.busy = false;
      if (list.items.length === 0) {
        list.hide();
      }
    }, reject);
  });
}
