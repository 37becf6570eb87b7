import type { Socket } from "node:net";
import { createServer, IncomingMessage, ServerResponse, type Server, type ServerOptions } from "node:http";
import type { Express } from "express";

export interface HttpServerOptions extends ServerOptions {
  /** How long a client may take nothing of an answer that is there for it; for ever when absent. Not to be the same as `keepAliveTimeout`. */
  answersMayStandStillMs?: number;
}

/**
 * An HTTP server of this application, which does not listen yet. Express puts its own prototypes under each request and answer that comes,
 * and V8 gives every object whose prototype was changed a hidden class of its own: nothing that is read from them afterwards is found by
 * an inline cache, by us, by Express or by Node. Here they come with those prototypes, so that there is nothing to change; that is a
 * quarter of a request's processor time.
 */
export function serverOf(app: Express, { answersMayStandStillMs, ...options }: HttpServerOptions): Server {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse extends ServerResponse {}
  Object.setPrototypeOf(ExpressRequest.prototype, app.request);
  Object.setPrototypeOf(ExpressResponse.prototype, app.response);
  app.request = ExpressRequest.prototype as typeof app.request;
  app.response = ExpressResponse.prototype as typeof app.response;
  const server = createServer({ ...options, IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse }, app);
  if (answersMayStandStillMs !== undefined) endStandingStill(server, answersMayStandStillMs);
  return server;
}

/**
 * Ends connections whose client has taken nothing for so long of what waits for it: an answer of many megabytes would stay in memory
 * for as long as somebody keeps a connection open and does not read. Where nothing waits the answer is still being worked out, or comes
 * by and by; an idle connection has a limit of its own, which Node puts on it in place of this one.
 */
function endStandingStill(server: Server, ms: number): void {
  server.setTimeout(ms, (socket: Socket) => {
    if (socket.writableLength > 0 || socket.timeout !== ms) socket.destroy();
  });
}
