import type { Response } from "express";
import { AppError } from "../../errors.ts";
import { authenticateAgain, callOf, type Call } from "./call.ts";

const LOOKED_AT_EVERY_MS = 1000;

/**
 * The call of a request that may go on for long: it is authenticated again each second, so that nothing more is done for a client that was
 * shut out meanwhile, and by the settings of then. Throws as authenticated() does, and from then on each time.
 */
export function standingCall(response: Response): () => Promise<Call> {
  let call = callOf(response);
  let lookedAt = call.ctx.now().getTime();
  let refusal: AppError | undefined;
  return async () => {
    if (refusal) throw refusal;
    const at = call.ctx.now().getTime();
    if (at - lookedAt < LOOKED_AT_EVERY_MS) return call;
    try {
      call = await authenticateAgain(response);
      lookedAt = at;
      return call;
    } catch (error) {
      if (error instanceof AppError && (error.code === "unauthenticated" || error.code === "forbidden")) refusal = error;
      throw error;
    }
  };
}
