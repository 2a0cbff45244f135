// What other extensions may call: api.d.ts says it, this does it.

import type { KatoApi } from "../api";
import { Method, type AppendAnswer, type AppendParams, type CommandOutcome, type MemoryStatus } from "./protocol";
import type { Server } from "./server";

export function makeApi(server: Server): KatoApi {
  const request = async <T>(method: string, params?: unknown): Promise<T> => {
    if (server.state.kind === "starting") {
      await server.start();
    }
    const start = server.starts;
    try {
      return await server.request<T>(method, params);
    } catch (error) {
      // The server went away meanwhile and comes back: what was asked is asked again, once. Events are known by their ids,
      // so those that were kept before are not kept twice.
      if (isRefusal(error) || !(await server.hasReturned(start))) {
        throw error;
      }
      return server.request<T>(method, params);
    }
  };
  return {
    version: 1,
    appendEvents: (params: AppendParams) => request<AppendAnswer>(Method.appendEvents, params),
    capture: (session) =>
      request<CommandOutcome>(Method.executeCommand, { command: "kato.capture", arguments: [session] }),
    memory: () => request<MemoryStatus>(Method.memory),
    status: () => server.status,
    onDidChangeStatus: (listener) => server.onDidChangeStatus(listener),
  };
}

/** An answer of the server, and not the connection's own complaint (JSON-RPC reserves -32099 to -32000, this client's library the lower ten). */
function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "number" && !(code >= -32099 && code <= -32090);
}
