// This window's conversations, requested when the server reports a change while the view is visible.

import * as vscode from "vscode";
import { Method, type StatusParams, type StatusSnapshot } from "./protocol";
import type { Server } from "./server";
import { named, ofWorkspace, type NamedSession } from "./sessions";

const SESSIONS_MAX = 1000;

/** All of them, also those without recent messages. */
export async function workspaceSessions(server: Server): Promise<NamedSession[]> {
  const asked: StatusParams = { includeStale: true, limit: SESSIONS_MAX };
  const status = await server.request<StatusSnapshot>(Method.status, asked);
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file").map(({ uri }) => uri.fsPath);
  return ofWorkspace(named(status), folders);
}
