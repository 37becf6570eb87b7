import type { NextFunction, Request, RequestHandler, Response } from "express";

/** Several handlers as one: the router's own way from one to the next costs more than most of them do. */
export function sequence(...handlers: readonly RequestHandler[]): RequestHandler {
  return (request, response, next) => step({ handlers, at: 0, request, response, next });
}

interface Place {
  handlers: readonly RequestHandler[];
  at: number;
  request: Request;
  response: Response;
  next: NextFunction;
}

function step(place: Place): void {
  const { handlers, at, request, response, next } = place;
  const handler = handlers[at];
  if (!handler) return next();
  try {
    const going: unknown = handler(request, response, (error?: unknown) => (error ? next(error) : step({ ...place, at: at + 1 })));
    if (going instanceof Promise) void toldOn(going, next);
  } catch (error) {
    next(error);
  }
}

async function toldOn(going: Promise<unknown>, next: NextFunction): Promise<void> {
  try {
    await going;
  } catch (error) {
    next(error);
  }
}
