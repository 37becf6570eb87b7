import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Kind } from "../contract.ts";

/** A call of the org's event hook, as an HTTP door received it; header names in lower case. */
export interface EventHookCall {
  method: string;
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Parsed JSON; undefined for a GET. */
  body?: unknown;
}

/** What to answer within three seconds, and what the call hints at. */
export interface EventHookAnswer {
  status: 200 | 204 | 400 | 401 | 405;
  body?: Readonly<Record<string, string>>;
  /** Absent where nothing new is to be read. */
  hint?: EventHint;
}

/** Something has changed: a reason for an incremental read now, never data. Events come more than once, and in any order. */
export interface EventHint {
  kinds: readonly Kind[];
  /** The events' own ids. */
  events: readonly string[];
}

const MAX_CHALLENGE = 2048;
const delivery = z.object({
  data: z.object({
    events: z
      .array(z.object({ uuid: z.string().min(1).max(128), eventType: z.string().min(1).max(256) }))
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
 * @param secret value that Okta sends as Authorization header; without one every call is refused
 * @param isNew whether an event's id was not seen before, and remembers it
 */
export function receiveEventHook(
  call: EventHookCall,
  { secret, isNew }: { secret: string | undefined; isNew: (eventId: string) => boolean },
): EventHookAnswer {
  if (secret === undefined || !isSame(single(call.headers["authorization"]), secret)) return { status: 401 };
  if (call.method === "GET") return verification(single(call.headers["x-okta-verification-challenge"]));
  if (call.method !== "POST") return { status: 405 };
  const parsed = delivery.safeParse(call.body);
  if (!parsed.success) return { status: 400 };
  const fresh = parsed.data.data.events.filter(({ uuid }) => isNew(uuid));
  const kinds = (["user", "group"] as const).filter((kind) => fresh.some(({ eventType }) => kindsOf(eventType).includes(kind)));
  return kinds.length === 0 ? { status: 204 } : { status: 204, hint: { kinds, events: fresh.map(({ uuid }) => uuid) } };
}

/** Remembers the latest ids of events, so that a repeated delivery starts nothing; forgetting one costs a run that finds nothing. */
export function recentEvents(most = 10_000): (eventId: string) => boolean {
  const seen = new Set<string>();
  return (eventId) => {
    if (seen.has(eventId)) return false;
    seen.add(eventId);
    if (seen.size > most) for (const oldest of seen) if (seen.delete(oldest)) break;
    return true;
  };
}

function verification(challenge: string | undefined): EventHookAnswer {
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
