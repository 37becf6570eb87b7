import { AppError } from "../../errors.ts";

/** Streams that one credential may hold open at a time: a page has one or two, a script that opens them without end asks the database for each. */
const MOST_EACH = 20;
const ASK_AGAIN_SECONDS = 10;

/** The places of those who follow something for long. */
export interface Watching {
  /** Takes a place until the signal aborts. Throws `rate_limited` when the credential has all of its own. */
  begin(credential: string, until: AbortSignal): void;
}

export function createWatching({ mostEach = MOST_EACH }: { mostEach?: number } = {}): Watching {
  const open = new Map<string, number>();
  return {
    begin(credential, until) {
      const already = open.get(credential) ?? 0;
      if (already >= mostEach)
        throw new AppError("rate_limited", `This credential follows ${already} things at a time already: close one of them first.`, {
          field: "token",
          retryAfter: ASK_AGAIN_SECONDS,
        });
      if (until.aborted) return;
      open.set(credential, already + 1);
      until.addEventListener("abort", () => leave(open, credential), { once: true });
    },
  };
}

function leave(open: Map<string, number>, credential: string): void {
  const left = (open.get(credential) ?? 1) - 1;
  if (left > 0) open.set(credential, left);
  else open.delete(credential);
}
