import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";
import { passingFailure } from "../../db/failures.ts";
import { requestIdOf } from "./request-id.ts";

/** What stands at no door. */
export function plainNotFound(): RequestHandler {
  return (request, response) => {
    response.status(404).json({ error: "not_found", message: `There is nothing at ${request.path}.` });
  };
}

/** The last resort, for what fails outside every door: nothing of the error is shown. */
export function plainErrors({ log }: { log: Logger }): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status: unknown = (error as { status?: unknown } | null)?.status;
    const refused = typeof status === "number" && status >= 400 && status < 500;
    if (!refused) log.error({ err: error, correlationId: requestIdOf(response) }, "a request failed");
    const passing = refused ? undefined : passingFailure(error);
    if (passing) {
      response.set("Retry-After", String(passing.retryAfter ?? 1));
      response.status(503).json({ error: passing.code, message: passing.message });
      return;
    }
    response
      .status(refused ? status : 500)
      .json(
        refused
          ? { error: "invalid", message: "The request can't be read." }
          : { error: "internal", message: "Something went wrong here; the log of this server says what." },
      );
  };
}
