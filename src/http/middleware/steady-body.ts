import type { RequestHandler } from "express";

export interface SteadyBodyOptions {
  /** How long a body may take to get going. */
  graceMs?: number;
  /** What must have come in the mean after that. */
  bytesPerSecond?: number;
}

const GRACE_MS = 20_000;
const BYTES_PER_SECOND = 500;

/**
 * Cuts off whoever sends a body drop by drop to keep a connection busy. The server's own limit on a whole request must leave room for
 * large files over slow lines; this one asks only that they go on.
 */
export function steadyBody({ graceMs = GRACE_MS, bytesPerSecond = BYTES_PER_SECOND }: SteadyBodyOptions = {}): RequestHandler {
  return (request, response, next) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    if (encoding === undefined && (length === undefined || length === "0")) return next();
    const { socket } = request;
    const began = { at: performance.now(), bytes: socket.bytesRead };
    const timer = setInterval(() => {
      if (request.complete || socket.destroyed) return clearInterval(timer);
      const seconds = (performance.now() - began.at) / 1000;
      if (socket.bytesRead - began.bytes >= seconds * bytesPerSecond) return;
      clearInterval(timer);
      if (!response.headersSent)
        response.status(408).set("Connection", "close").json({ error: "invalid", message: "The request came too slowly." });
      socket.destroySoon();
    }, graceMs);
    timer.unref();
    // Who was refused before the body was read may still be at it.
    response.once("close", () => {
      if (request.complete) clearInterval(timer);
    });
    next();
  };
}
