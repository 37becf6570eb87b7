import { createHash } from "node:crypto";
import type { Logger } from "pino";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import type { Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { AppError } from "../../errors.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { networkOf } from "../network.ts";
import type { AttemptKind } from "./attempts.ts";
import { limitStore } from "./limit-store.ts";
import { noteLocked } from "./tell-locked.ts";
import { typedNameHash } from "./typed-names.ts";

export interface LimitedAttempt {
  kind: AttemptKind;
  address: string | undefined;
  /** What was typed as the login, where something was. */
  name?: string | null;
  personId: string | null;
  /**
   * What tells this browser from all others: the secret of its device cookie, only where this person has signed in with it before; where
   * nobody is named, the sign-in with which it was sent away, and comes back. Else null.
   */
  device: string | null;
}

export interface AttemptLimits {
  /**
   * Counts an attempt before anything of it is looked at. That an account's budget is used up is told to its owner, once. Throws `rate_limited` with `retryAfter`, in the same words whichever budget is
   * used up and whether or not the account exists; `unavailable` when it can't be counted, because whoever can't count must not guess.
   */
  take(attempt: LimitedAttempt): Promise<void>;
  /** Gives back what a successful attempt took. */
  succeeded(attempt: LimitedAttempt): Promise<void>;
  /**
   * Counts that somebody begins to sign in, for which something has to be kept: of the browser where anybody has signed in from it before
   * (`device`), else of the network. Throws `rate_limited`, `unavailable`, as `take`.
   */
  begin(beginning: Pick<LimitedAttempt, "address" | "device">): Promise<void>;
}

export interface AttemptLimitsOptions {
  db: Pick<Database, "requestPool">;
  keyRing: KeyRing;
  settings: SignInSettings["limits"];
  now: () => Date;
  log?: Logger;
}

type BudgetName = keyof SignInSettings["limits"];

/** One budget that an attempt takes from. */
interface Share {
  budget: BudgetName;
  key: string;
}

/**
 * Which budgets an attempt takes from, the first to refuse first. A device of the owner's has one of its own and no other: whatever is
 * done from elsewhere never keeps it out. Nor does it keep out who comes back from where they were sent: how often browsers are sent is
 * bounded (`begin`). An attempt that its network is refused does not count against the account. What names nobody (an identity
 * provider's answer, a passkey, a link) can't be guessed, so that all the others have nothing to share with it. Pure.
 */
export function sharesOf({
  kind,
  subject,
  network,
  device,
}: {
  kind: AttemptKind;
  subject: string | null;
  network: string;
  device: string | null;
}): Share[] {
  if (device !== null) return [{ budget: "device", key: `${kind}:${subject ?? "begun"}:${hashOfDevice(device)}` }];
  if (subject === null) return [{ budget: "network", key: network }];
  return [
    { budget: "network", key: network },
    { budget: "account", key: `${kind}:${subject}` },
    { budget: "overall", key: "all" },
  ];
}

function hashOfDevice(device: string): string {
  return createHash("sha256").update(device).digest("base64url");
}

// The rows are locked in the order of the list, in which they are taken from.
const GIVE_BACK = `with mine as (select l.key from unnest($1::text[]) with ordinality as given (key, place) join attempt_limits l using (key)
    order by given.place for update of l)
  update attempt_limits l set points = l.points - 1 from mine where l.key = mine.key and l.points > 0 and (l.expire is null or l.expire > $2)`;

/** Limits over all nodes, counted in PostgreSQL by one statement a budget, so that of attempts at the same time no more come through. */
export function createAttemptLimits({ db, keyRing, settings, now, log }: AttemptLimitsOptions): AttemptLimits {
  const storeClient = limitStore(db, now);
  const limiter = (budget: BudgetName) =>
    new RateLimiterPostgres({
      storeClient,
      storeType: "client",
      tableName: "attempt_limits",
      tableCreated: true,
      clearExpiredByTimeout: false,
      keyPrefix: budget,
      points: settings[budget].attempts,
      duration: settings[budget].minutes * 60,
    });
  const limiters = {
    device: limiter("device"),
    account: limiter("account"),
    network: limiter("network"),
    overall: limiter("overall"),
    beginnings: limiter("beginnings"),
  };
  const consume = async ({ budget, key }: Share, onRefusal?: (refusal: RateLimiterRes) => Promise<void>) => {
    try {
      await limiters[budget].consume(key);
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        await onRefusal?.(error);
        throw tooMany(error);
      }
      log?.error({ err: error, budget }, "an attempt to sign in can't be counted, and was refused");
      throw new AppError("unavailable", "Signing in is not possible for the moment. Try again soon.", { retryAfter: 10, cause: error });
    }
  };
  const sharesFor = ({ kind, address, name, personId, device }: LimitedAttempt) =>
    sharesOf({
      kind,
      // By what was typed: an account's other names must not tell that they are its.
      subject: name ? `name:${typedNameHash(keyRing, name)}` : personId && `person:${personId}`,
      network: networkOf(address) ?? "unknown",
      device,
    });

  return {
    async take(attempt) {
      const isFirst = ({ consumedPoints }: RateLimiterRes) => consumedPoints === settings.account.attempts + 1;
      const locked = async (refusal: RateLimiterRes) => {
        const until = new Date(now().getTime() + refusal.msBeforeNext);
        if (isFirst(refusal)) await noteLocked(db.requestPool, { ...attempt, keyRing, until });
      };
      for (const share of sharesFor(attempt)) await consume(share, share.budget === "account" ? locked : undefined);
    },
    begin: ({ address, device }) =>
      consume({ budget: "beginnings", key: device === null ? (networkOf(address) ?? "unknown") : `device:${hashOfDevice(device)}` }),
    async succeeded(attempt) {
      const shares = sharesFor(attempt);
      const [first] = shares;
      if (first?.budget === "device") await limiters.device.delete(first.key);
      // One statement for all: the library gives back one at a time.
      else
        await db.requestPool.query({
          name: "attempt-reward",
          text: GIVE_BACK,
          values: [shares.map(({ budget, key }) => limiters[budget].getKey(key)), now().getTime()],
        });
    },
  };
}

function tooMany({ msBeforeNext }: RateLimiterRes): AppError {
  const retryAfter = Math.max(1, Math.ceil(msBeforeNext / 1000));
  const minutes = Math.ceil(retryAfter / 60);
  return new AppError("rate_limited", `Too many attempts. Try again in ${minutes} ${minutes === 1 ? "minute" : "minutes"}.`, {
    retryAfter,
  });
}

/** Forgets counters whose time is over. */
export async function forgetLimits({ sql, now }: { sql: Pick<Database["pool"], "query">; now: Date }): Promise<number> {
  const { rowCount } = await sql.query("delete from attempt_limits where expire < $1", [now.getTime()]);
  return rowCount ?? 0;
}
