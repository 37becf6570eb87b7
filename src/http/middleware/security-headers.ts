import { ServerResponse, type IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import helmet from "helmet";

/**
 * helmet's headers. They are the same for every answer, and fourteen middlewares a request to say so cost as much as a
 * query: helmet is asked once, and what it says is kept.
 */
export function securityHeaders(): RequestHandler {
  const kept = headersOf(helmet());
  return (_request, response, next) => {
    for (const [name, value] of kept) response.setHeader(name, value);
    next();
  };
}

function headersOf(handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): [string, string][] {
  const request = { method: "GET", headers: {} } as IncomingMessage;
  const response = new ServerResponse(request);
  handler(request, response, () => undefined);
  return Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]);
}
