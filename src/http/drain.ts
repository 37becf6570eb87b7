import type { Server } from "node:http";
import type { Logger } from "pino";

export interface DrainOptions {
  log: Logger;
  /** How long requests in flight may take; then they are cut off. */
  withinMs: number;
}

const SWEEP_EVERY_MS = 200;

/**
 * Takes no more connections and waits for the requests in flight. Who goes on on a connection that is open is told with the answer
 * that it ends: Node closes only those that are idle when the server is, and a busy client would hold a stop up to its last moment, and
 * be cut off in the middle of a request.
 */
export async function drain(server: Server, { log, withinMs }: DrainOptions): Promise<void> {
  server.prependListener("request", (_request, response) => response.setHeader("Connection", "close"));
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // What was in flight when we began leaves its connection open.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
  server.closeIdleConnections();
  const tooLong = setTimeout(() => {
    log.warn("requests still in flight were cut off");
    server.closeAllConnections();
  }, withinMs);
  await closed;
  clearTimeout(tooLong);
  clearInterval(sweep);
}
