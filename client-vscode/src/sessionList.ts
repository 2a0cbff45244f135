// This window's conversations, asked for when the server says that something changed and somebody looks.

import * as vscode from "vscode";
import { Method, type SessionStatus, type StatusParams, type StatusSnapshot } from "./protocol";
import type { Server } from "./server";
import { ofWorkspace } from "./sessions";

const SESSIONS_MAX = 1000;

/** All of them, also those that nobody spoke in lately. */
export async function workspaceSessions(server: Server): Promise<SessionStatus[]> {
  const asked: StatusParams = { includeStale: true, limit: SESSIONS_MAX };
  const status = await server.request<StatusSnapshot>(Method.status, asked);
  const folders = (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === "file")
    .map(({ uri }) => uri.fsPath);
  return ofWorkspace(status.sessions, folders);
}
