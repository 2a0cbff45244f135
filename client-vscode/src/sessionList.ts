// The conversations of this window, requested from the server when a view that is visible needs them.

import * as vscode from "vscode";
import { Status } from "./protocol";
import type { Server } from "./server";
import { ofWorkspace } from "./sessions";
import type { SessionStatus } from "./structs";
import { assistantNames, type NameOf } from "./text";

const SESSIONS_MAX = 1000;

export interface Listing {
  sessions: SessionStatus[];
  nameOf: NameOf;
}

export const NO_SESSIONS: Listing = { sessions: [], nameOf: assistantNames([]) };

/** All conversations of this window, stale ones too, with the names of their assistants. */
export async function workspaceSessions(server: Server): Promise<Listing> {
  const { sessions, providers } = await server.request(Status, { includeStale: true, limit: SESSIONS_MAX });
  const folders = (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === "file")
    .map(({ uri }) => uri.fsPath);
  return { sessions: ofWorkspace(sessions, folders), nameOf: assistantNames(providers) };
}
