import { noteAttempt, type AttemptOutcome } from "../../auth/risk/attempts.ts";
import { AppError } from "../../errors.ts";
import { anonymousForm } from "./anonymous-form.ts";
import { html } from "./html.ts";
import { field, form, message, type Reply } from "./page.ts";
import type { Visit } from "./visit.ts";

export interface TryLinkOptions<T> {
  /** Throws `forbidden`, field `link`, for a link that does not work. */
  look: () => Promise<T>;
  /** Whose link it was, where that is told of a try that worked; otherwise only those that didn't are noted. */
  personOf?: (found: T) => string;
}

/** Tries a link; counted and noted, as whoever tries links is looked for like whoever tries passwords. */
export async function tryLink<T>(visit: Visit, { look, personOf }: TryLinkOptions<T>): Promise<T> {
  const { options, address, userAgent } = visit;
  const { db, keyRing, limits } = options;
  const at = options.now();
  const attempt = { kind: "link" as const, address, personId: null, device: null };
  await limits.take(attempt);
  const note = (outcome: AttemptOutcome, personId: string | null) =>
    noteAttempt(db.requestPool, { at, keyRing, kind: "link", outcome, personId, address, userAgent });
  try {
    const found = await look();
    await limits.succeeded(attempt);
    if (personOf) await note("ok", personOf(found));
    return found;
  } catch (error) {
    if (isDeadLink(error)) await note("failed", null);
    throw error;
  }
}

/** The page to which a link leads, which asks for what stands behind its `#` where no script of ours puts it there. */
export function codePage(visit: Visit, { action, problem }: { action: string; problem?: string }): Reply {
  const { say } = visit;
  const body = html`${problem !== undefined && message("problem", problem)}
  ${form(anonymousForm(visit), {
    action,
    body: html`${field({ name: "code", label: say("pages.link.code"), hint: say("pages.link.hint") })}<button>
        ${say("pages.link.next")}
      </button>`,
  })}`;
  return { title: say("pages.link.title"), body, scripts: ["link.js"], ...(problem === undefined ? {} : { status: 403 }) };
}

/** A link that does not work leads to the page where another can be given, in the reader's language. */
export async function unlessDead(visit: Visit, { action, act }: { action: string; act: () => Promise<Reply> }): Promise<Reply> {
  try {
    return await act();
  } catch (error) {
    if (!isDeadLink(error)) throw error;
    return codePage(visit, { action, problem: visit.say("pages.link.dead") });
  }
}

function isDeadLink(error: unknown): boolean {
  return error instanceof AppError && error.code === "forbidden" && error.field === "link";
}
