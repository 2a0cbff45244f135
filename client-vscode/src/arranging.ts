// Asks how the sessions view is sorted, and what it shows.

import * as vscode from "vscode";
import { folderOf, nameOfFolder } from "./sessions";
import { workspaceFolders } from "./sessionList";
import type { SessionsView } from "./sessionsView";
import { NO_FILTER, type Arrangement, type Condition } from "./sessionTree";

const ARRANGED: readonly { value: Arrangement; label: string; detail: string }[] = [
  { value: "day", label: "$(calendar) By Day", detail: "Today, Yesterday, Last 7 days, Older; the newest first" },
  { value: "assistant", label: "$(hubot) By Assistant", detail: "The newest first" },
  { value: "folder", label: "$(folder) By Folder", detail: "The newest first" },
  { value: "title", label: "$(list-ordered) By Title", detail: "From A to Z, without groups" },
];

const CONDITIONED: readonly { value: Condition; label: string }[] = [
  { value: "recording", label: "$(record) Recording" },
  { value: "note", label: "$(markdown) With a Note" },
  { value: "deleted", label: "$(archive) Log Deleted" },
];

export async function sortSessions(view: SessionsView): Promise<void> {
  const offered = ARRANGED.map((one) => ({
    ...one,
    ...(one.value === view.arrangement ? { description: "current" } : {}),
  }));
  const chosen = await vscode.window.showQuickPick(offered, { title: "Kato: Sort Sessions", placeHolder: "Sort by" });
  if (chosen !== undefined) {
    await view.arrange(chosen.value);
  }
}

interface FilterItem extends vscode.QuickPickItem {
  part?: "providers" | "folders" | "conditions";
  value?: string;
}

export async function filterSessions(view: SessionsView): Promise<void> {
  const { conversations, nameOf } = view.list;
  const { filter } = view;
  const open = workspaceFolders();
  const providers = unique(conversations.map(({ provider }) => provider));
  const folders = unique(conversations.map(({ cwd }) => folderOf(cwd, open) ?? cwd ?? ""));
  const item = (part: "providers" | "folders" | "conditions", value: string, label: string): FilterItem => ({
    part,
    value,
    label,
    picked: (filter[part] as readonly string[]).includes(value),
  });
  const offered: FilterItem[] = [
    separator("Assistants"),
    ...providers.map((provider) => item("providers", provider, nameOf(provider))),
    separator("Conversations"),
    ...CONDITIONED.map(({ value, label }) => item("conditions", value, label)),
    ...(folders.length < 2
      ? []
      : [
          separator("Folders"),
          ...folders.map((folder) => ({
            ...item("folders", folder, folder === "" ? "No folder" : nameOfFolder(folder)),
            description: folder,
          })),
        ]),
  ];
  const chosen = await vscode.window.showQuickPick(offered, {
    title: "Kato: Filter Sessions",
    placeHolder: "Conversations to show; all if none is selected",
    canPickMany: true,
  });
  if (chosen !== undefined) {
    const values = (part: FilterItem["part"]): string[] =>
      chosen.filter((one) => one.part === part).flatMap(({ value }) => value ?? []);
    view.filter = {
      providers: values("providers"),
      folders: values("folders"),
      conditions: values("conditions") as Condition[],
    };
  }
}

export function showAll(view: SessionsView): void {
  view.filter = NO_FILTER;
}

function separator(label: string): FilterItem {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].sort((a, b) => a.localeCompare(b));
}
