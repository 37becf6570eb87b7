import type { NextFunction, RequestHandler } from "express";

/** Several handlers as one: the router's own way from one to the next costs more than most of them do. */
export function sequence(...handlers: readonly RequestHandler[]): RequestHandler {
  return (request, response, next) => {
    let at = 0;
    const step = (error?: unknown): void => {
      const handler = error ? undefined : handlers[at++];
      if (!handler) return next(error);
      try {
        const going: unknown = handler(request, response, step);
        if (going instanceof Promise) void toldOn(going, next);
      } catch (thrown) {
        next(thrown);
      }
    };
    step();
  };
}

async function toldOn(going: Promise<unknown>, next: NextFunction): Promise<void> {
  try {
    await going;
  } catch (error) {
    next(error);
  }
}
