import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { HookAnswer, HookCall, Kind } from "../contract.ts";

const MAX_CHALLENGE = 2048;
const delivery = z.object({
  data: z.object({
    events: z
      .array(
        z.object({
          uuid: z
            .string()
            .min(1)
            .max(128)
            .regex(/^[^\0]+$/),
          eventType: z.string().min(1).max(256),
        }),
      )
      .min(1)
      .max(10_000),
  }),
});

/** Events that change what we read, by the beginning of their type. */
const KINDS: ReadonlyArray<readonly [string, readonly Kind[]]> = [
  ["user.lifecycle.", ["user"]],
  ["user.account.update_profile", ["user"]],
  ["user.account.lock", ["user"]],
  ["user.account.unlock", ["user"]],
  ["group.user_membership.", ["group"]],
  ["group.lifecycle.", ["group"]],
  ["group.profile.", ["group"]],
];

/**
 * Answers Okta's one-time verification (GET with X-Okta-Verification-Challenge) and takes its deliveries (POST).
 * Events come more than once, and in any order: the hint tells the ids of those that change what we read.
 * @param secret value that Okta sends as Authorization header; without one every call is refused
 */
export function receiveEventHook(call: HookCall, { secret }: { secret: string | undefined }): HookAnswer | "refused" {
  if (secret === undefined || !isSame(single(call.headers["authorization"]), secret)) return "refused";
  if (call.method === "GET") return verification(single(call.headers["x-okta-verification-challenge"]));
  const parsed = delivery.safeParse(call.body);
  if (!parsed.success) return { status: 400 };
  const telling = parsed.data.data.events.filter(({ eventType }) => kindsOf(eventType).length > 0);
  if (telling.length === 0) return { status: 204 };
  const kinds = (["user", "group"] as const).filter((kind) => telling.some(({ eventType }) => kindsOf(eventType).includes(kind)));
  return { status: 204, hint: { kinds, events: [...new Set(telling.map(({ uuid }) => uuid))] } };
}

function verification(challenge: string | undefined): HookAnswer {
  if (challenge === undefined || challenge === "" || challenge.length > MAX_CHALLENGE) return { status: 400 };
  return { status: 200, body: { verification: challenge } };
}

function kindsOf(eventType: string): readonly Kind[] {
  return KINDS.find(([beginning]) => eventType.startsWith(beginning))?.[1] ?? [];
}

/** In constant time, whatever the lengths. */
function isSame(given: string | undefined, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(secret));
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
