// What other extensions may call: api.d.ts says it, this does it.

import type { KatoApi } from "../api";
import { Method, type AppendAnswer, type AppendParams, type CommandOutcome, type MemoryStatus } from "./protocol";
import type { Server } from "./server";

export function makeApi(server: Server): KatoApi {
  const request = async <T>(method: string, params?: unknown): Promise<T> => {
    if (server.state.kind === "starting") {
      await server.start();
    }
    return server.request<T>(method, params);
  };
  return {
    version: 1,
    appendEvents: (params: AppendParams) => request<AppendAnswer>(Method.appendEvents, params),
    capture: (session) => request<CommandOutcome>(Method.executeCommand, { command: "kato.capture", arguments: [session] }),
    memory: () => request<MemoryStatus>(Method.memory),
    status: () => server.status,
    onDidChangeStatus: (listener) => server.onDidChangeStatus(listener),
  };
}
