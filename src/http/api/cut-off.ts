import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { Route } from "./route.ts";

/** What PostgreSQL calls a statement that was ended before its end (query_canceled): here, one that ran for too long. */
const CANCELLED = "57014";
/** It may have been slow because others were at work. */
const ASK_AGAIN_SECONDS = 5;

/** A statement that was cut off, told to whoever asked for this route: by what to narrow it. Any other error as it is. */
export function cutOffTold(error: unknown, { query }: Pick<Route, "query">): unknown {
  if (typeof error !== "object" || error === null || !("code" in error) || error.code !== CANCELLED) return error;
  return new AppError("unavailable", `This question takes too long and was cut off. ${advice(query)}`, {
    retryAfter: ASK_AGAIN_SECONDS,
    cause: error,
  });
}

function advice(query: z.ZodType | undefined): string {
  const shape = query instanceof z.ZodObject ? query.shape : {};
  const filters = Object.keys(shape).filter((name) => name !== "cursor" && shape[name] instanceof z.ZodOptional);
  const ways = [
    ...(filters.length > 0 ? [`Narrow it by ${filters.join(", ")}`] : []),
    ...("limit" in shape ? ["ask for fewer with limit"] : []),
  ];
  if (ways.length === 0) return "Ask again in a moment.";
  const told = ways.join(", or ");
  return `${told.charAt(0).toUpperCase()}${told.slice(1)}.`;
}
