// The folders of this window.

import * as vscode from "vscode";

/** The paths of the workspace's folders that are on this machine's disk. */
export function workspaceFolders(): string[] {
  return (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === "file")
    .map(({ uri }) => uri.fsPath);
}
