import type { HookSubscription, KeepHooksOptions } from "../contract.ts";
import { openClient, valueOf, type GraphClient } from "./client.ts";
import type { EntraSettings } from "./config.ts";
import { isObject, textOf, type WireObject } from "./json.ts";
import type { Permission } from "./permissions.ts";

/** Longest life of a subscription to users or groups: 41,760 minutes, a little less for clocks that differ. */
const LONGEST_MS = 41_700 * 60_000;
/** Renewed once less than this is left. */
const RENEWED_FROM_MS = LONGEST_MS / 2;

/** What is subscribed to. Units have no notifications. */
const RESOURCES = [
  { resource: "users", needs: "User.Read.All" },
  { resource: "groups", needs: "Group.Read.All" },
] as const satisfies readonly { resource: string; needs: Permission }[];

type Wanted = (typeof RESOURCES)[number];
type Keeping = Pick<KeepHooksOptions<EntraSettings>, "address" | "wanted" | "secret" | "held" | "renew" | "anew" | "store" | "now">;

/** Hooks.keep for Microsoft Graph. */
export async function keepSubscriptions(options: KeepHooksOptions<EntraSettings>): Promise<void> {
  const client = openClient(options);
  try {
    await bringSubscriptions(client, options);
  } finally {
    await client.close();
  }
}

/**
 * Brings the subscriptions that lead to us to what they should be: one for people and one for groups, renewed in time, all others
 * ended. One that we do not remember was made with a secret that nobody can read back, or by a call that was cut off: it is ended, too.
 */
export async function bringSubscriptions(client: GraphClient, options: Keeping): Promise<void> {
  const { address, held, store } = options;
  const remembered = new Set(held.map(({ id }) => id));
  const addresses = new Set([address, ...held.map((each) => each.address)]);
  const there = (await listSubscriptions(client)).filter(
    (each) => remembered.has(textOf(each["id"]) ?? "") || addresses.has(textOf(each["notificationUrl"]) ?? ""),
  );
  let now: readonly HookSubscription[] = held.filter(({ id }) => there.some((each) => each["id"] === id));
  for (const wanted of RESOURCES) {
    const ofIt = there.filter((each) => textOf(each["resource"]) === wanted.resource);
    // The secret of one that stands can't be changed.
    const best = options.anew
      ? undefined
      : ofIt
          .filter((each) => remembered.has(textOf(each["id"]) ?? "") && isGood(each, options))
          .sort((left, right) => expiryOf(right) - expiryOf(left))[0];
    const isWanted = options.wanted && (wanted.resource !== "groups" || client.settings.groups);
    const kept = isWanted ? [await bring(client, { wanted, best, ofIt, options })] : [];
    const isKept = (id: unknown) => kept.some((each) => each.id === id);
    // Those that are about to be ended are forgotten only when they are.
    now = [...now.filter(({ id }) => !isKept(id)), ...kept];
    await store(now);
    for (const each of ofIt) if (!isKept(each["id"])) await end(client, String(each["id"]), wanted.needs);
    now = now.filter(({ id, about }) => about !== wanted.resource || isKept(id));
    await store(now);
  }
}

interface Bringing {
  wanted: Wanted;
  best: WireObject | undefined;
  /** All that lead to us. */
  ofIt: readonly WireObject[];
  options: Keeping;
}

async function bring(client: GraphClient, { wanted, best, ofIt, options }: Bringing): Promise<HookSubscription> {
  const { address, secret, renew } = options;
  const { resource, needs } = wanted;
  const now = options.now().getTime();
  const id = best && textOf(best["id"]);
  const standing = { about: resource, address };
  if (best && id !== undefined && !renew && expiryOf(best) - now > RENEWED_FROM_MS)
    return { id, ...standing, expiresAt: new Date(expiryOf(best)) };
  const expirationDateTime = new Date(now + LONGEST_MS).toISOString();
  if (id !== undefined) {
    // Renewing authorises anew, too.
    const { status, body } = await client.call({
      method: "PATCH",
      path: `/subscriptions/${encodeURIComponent(id)}`,
      body: { expirationDateTime },
      needs,
      expect: [404],
    });
    if (status !== 404) return { id, ...standing, expiresAt: toldExpiry(body, expirationDateTime) };
  }
  const asked = {
    method: "POST",
    path: "/subscriptions",
    body: {
      changeType: "updated,deleted",
      resource,
      notificationUrl: address,
      // It can't be added later.
      lifecycleNotificationUrl: address,
      clientState: secret,
      expirationDateTime,
    },
    needs,
  } as const;
  let { status, body } = await client.call({ ...asked, expect: [409] });
  if (status === 409) {
    // Two of one resource are allowed here and there, now and then: where they are not, the others end first.
    for (const each of ofIt) await end(client, String(each["id"]), needs);
    ({ status, body } = await client.call(asked));
  }
  return { id: isObject(body) ? String(body["id"]) : "", ...standing, expiresAt: toldExpiry(body, expirationDateTime) };
}

async function listSubscriptions(client: GraphClient): Promise<WireObject[]> {
  const subscriptions: WireObject[] = [];
  let { body } = await client.call({ method: "GET", path: "/subscriptions", needs: "User.Read.All" });
  for (;;) {
    const { page, value } = valueOf(body);
    subscriptions.push(...value.filter(isObject));
    const next = textOf(page["@odata.nextLink"]);
    if (next === undefined) return subscriptions;
    ({ body } = await client.follow(next, { needs: "User.Read.All" }));
  }
}

/** One that has ended by itself is gone already. */
async function end(client: GraphClient, id: string, needs: Permission): Promise<void> {
  await client.call({ method: "DELETE", path: `/subscriptions/${encodeURIComponent(id)}`, needs, expect: [404] });
}

function isGood(subscription: WireObject, { address, now }: Keeping): boolean {
  return (
    textOf(subscription["notificationUrl"]) === address &&
    textOf(subscription["lifecycleNotificationUrl"]) === address &&
    expiryOf(subscription) > now().getTime()
  );
}

function expiryOf(subscription: WireObject): number {
  const time = Date.parse(String(subscription["expirationDateTime"]));
  return Number.isNaN(time) ? 0 : time;
}

function toldExpiry(body: unknown, asked: string): Date {
  return new Date((isObject(body) ? expiryOf(body) : 0) || Date.parse(asked));
}
