import { randomUUID } from "node:crypto";
import type { RequestHandler, Response } from "express";

const HEADER = "X-Request-Id";

/** Gives every request an id, the caller's own where it is a harmless one, and sends it back; audit events carry it as correlation id. */
export function requestId(): RequestHandler {
  return (request, response, next) => {
    const given = request.get(HEADER);
    response.setHeader(HEADER, given !== undefined && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID());
    next();
  };
}

export function requestIdOf(response: Response): string {
  return String(response.getHeader(HEADER) ?? randomUUID());
}
