// Offers `kato mcp` to the chat of the editor, without an edit of settings. Editors before 1.101, and forks, lack this API: there
// `kato mcp install` does it.

import * as vscode from "vscode";
import type { Server } from "./server";

const PROVIDER = "kato.mcp";

/** The part of the API that is used here; its types came after the oldest editor that this extension supports. */
interface McpServer {
  cwd?: vscode.Uri;
}

interface McpApi {
  lm?: {
    registerMcpServerDefinitionProvider?: (
      id: string,
      provider: {
        onDidChangeMcpServerDefinitions: vscode.Event<void>;
        provideMcpServerDefinitions: () => McpServer[];
      },
    ) => vscode.Disposable;
  };
  McpStdioServerDefinition?: new (
    label: string,
    command: string,
    args: string[],
    environment: Record<string, string>,
    version: string,
  ) => McpServer;
}

export function offerMcpServer(server: Server, version: string, stateDir: () => string): vscode.Disposable {
  const { lm, McpStdioServerDefinition: Definition } = vscode as McpApi;
  if (lm?.registerMcpServerDefinitionProvider === undefined || Definition === undefined) {
    return vscode.Disposable.from();
  }
  const changed = new vscode.EventEmitter<void>();
  let offered: readonly string[] | undefined;
  const subscription = server.onDidChangeState(() => {
    if (server.program !== offered) {
      offered = server.program;
      changed.fire();
    }
  });
  const provider = {
    onDidChangeMcpServerDefinitions: changed.event,
    provideMcpServerDefinitions: (): McpServer[] => {
      const [command, ...args] = server.program ?? [];
      if (command === undefined) {
        return [];
      }
      const folder = stateDir();
      const environment: Record<string, string> = folder === "" ? {} : { KATO_STATE_DIR: folder };
      const definition = new Definition("Kato", command, [...args, "mcp"], environment, version);
      // Kato shows the conversations of the folder in which it runs.
      const [first] = vscode.workspace.workspaceFolders ?? [];
      if (first?.uri.scheme === "file") {
        definition.cwd = first.uri;
      }
      return [definition];
    },
  };
  return vscode.Disposable.from(changed, subscription, lm.registerMcpServerDefinitionProvider(PROVIDER, provider));
}
