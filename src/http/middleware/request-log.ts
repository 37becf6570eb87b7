import type { RequestHandler } from "express";
import type { Logger } from "pino";
import { unredacted } from "../../log.ts";
import { requestIdOf } from "./request-id.ts";

/** One line a request when it is answered. Without the query string and headers: filters hold personal values, headers hold tokens. */
export function requestLog({ log }: { log: Logger }): RequestHandler {
  const lines = unredacted(log);
  return (request, response, next) => {
    const started = process.hrtime.bigint();
    const path = request.path;
    response.once("close", () => {
      const ms = Math.round(Number(process.hrtime.bigint() - started) / 1e4) / 100;
      const line = {
        correlationId: requestIdOf(response),
        method: request.method,
        path,
        status: response.statusCode,
        ms,
        finished: response.writableFinished,
      };
      if (response.statusCode >= 500) lines.warn(line, "request");
      else lines.info(line, "request");
    });
    next();
  };
}
