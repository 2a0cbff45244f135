// What other extensions may call: the implementation of api.d.ts.

import type { KatoApi } from "../api";
import { AppendEvents, commandParams, ExecuteCommand, Memory } from "./protocol";
import type { Server } from "./server";

export function makeApi(server: Server): KatoApi {
  const withServer = async <R>(request: () => Promise<R>): Promise<R> => {
    if (server.state.kind === "starting") {
      await server.start();
    }
    const start = server.starts;
    try {
      return await request();
    } catch (error) {
      // The server ended during the request and was started again: the request is repeated once. Events have ids, so that
      // the server does not keep an event twice.
      if (isAnswer(error) || !(await server.hasReturned(start))) {
        throw error;
      }
      return request();
    }
  };
  return {
    version: 1,
    appendEvents: (params) => withServer(() => server.request(AppendEvents, params)),
    capture: (session) => withServer(() => server.request(ExecuteCommand, commandParams("capture", session))),
    memory: () => withServer(() => server.request(Memory)),
    status: () => server.status,
    onDidChangeStatus: (listener) => server.onDidChangeStatus(listener),
  };
}

/** The codes that vscode-jsonrpc uses for failures of the connection itself. */
const CONNECTION_CODES = { least: -32099, greatest: -32090 };

/** Whether an error is the server's answer, and not a failure of the connection. */
function isAnswer(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "number" && !(code >= CONNECTION_CODES.least && code <= CONNECTION_CODES.greatest);
}
