import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { Fault, type HookAnswer, type HookCall, type HookSubscription, type KeepHooksOptions } from "../contract.ts";
import { customerOf, openGoogle, type GoogleClient } from "./client.ts";
import type { GoogleSettings } from "./config.ts";
import { isObject, textOf } from "./json.ts";

/** Directory API, push notifications: users only, one channel an event, and no longer than two days. */
const EVENTS = ["add", "delete", "undelete", "update"] as const;
const LONGEST_SECONDS = 172_800;
/** Channels can't be prolonged: with less than this left another one is opened. */
const RENEWED_FROM_MS = (LONGEST_SECONDS * 1000) / 4;

type Keeping = Pick<KeepHooksOptions<GoogleSettings>, "address" | "wanted" | "secret" | "held" | "renew" | "anew" | "store">;

/** Hooks.keep for the Directory API. */
export async function keepChannels(options: KeepHooksOptions<GoogleSettings>): Promise<void> {
  const client = openGoogle(options);
  try {
    await bringChannels(client, options);
  } finally {
    await client.close();
  }
}

/**
 * Brings the channels that lead to us to what they should be: one an event. A new one is opened before the old one is stopped, so
 * that nothing falls between. Google lists no channels: each is stored under an id of ours before it is opened, so that one whose
 * answer was lost can be stopped at the next call.
 */
export async function bringChannels(
  client: GoogleClient,
  { address, wanted, secret, held, renew, anew = false, store }: Keeping,
): Promise<void> {
  let now: readonly HookSubscription[] = held;
  const without = (id: string) => now.filter((each) => each.id !== id);
  const noted = (change: readonly HookSubscription[]) => store((now = change));
  const opened = async (about: string): Promise<HookSubscription> => {
    const asked: HookSubscription = { id: randomUUID(), about, address };
    await noted([...now, asked]);
    const channel = await openChannel(client, { asked, secret });
    await noted([...without(asked.id), channel]);
    return channel;
  };
  const stopped = async (channel: HookSubscription, resourceId: string): Promise<void> => {
    // From here on nobody relies on it, even if the answer never comes.
    const { expiresAt, ...doubtful } = channel;
    await noted([...without(channel.id), doubtful]);
    if (expiresAt === undefined || expiresAt > client.now()) await stopChannel(client, { id: channel.id, resourceId });
    await noted(without(channel.id));
  };
  const soon = client.now().getTime() + RENEWED_FROM_MS;
  const isGood = (each: HookSubscription) => !renew && !anew && each.address === address && (each.expiresAt?.getTime() ?? 0) > soon;

  for (const about of EVENTS) {
    const ofIt = held.filter((each) => each.about === about);
    const kept = wanted ? (ofIt.find(isGood) ?? (await opened(about))) : undefined;
    const others = ofIt.filter(({ id }) => id !== kept?.id);
    // All channels of one event have the same resource id; another channel tells that of one whose answer was lost.
    let resourceId = [kept, ...ofIt].find((each) => each?.resourceId !== undefined)?.resourceId;
    if (others.length > 0 && resourceId === undefined) {
      const asking = await opened(about);
      resourceId = asking.resourceId;
      others.push(asking);
    }
    for (const each of others) if (resourceId !== undefined) await stopped(each, resourceId);
  }
}

async function openChannel(
  client: GoogleClient,
  { asked, secret }: { asked: HookSubscription; secret: string },
): Promise<HookSubscription> {
  const { body } = await client.call({
    method: "POST",
    purpose: "readUsers",
    path: "/users/watch",
    query: { ...customerOf(client.settings), event: asked.about },
    body: { id: asked.id, type: "web_hook", address: asked.address, token: secret, params: { ttl: String(LONGEST_SECONDS) } },
    once: true,
  });
  const channel = isObject(body) ? body : {};
  const resourceId = textOf(channel["resourceId"]);
  const expiresAt = Number(channel["expiration"]);
  if (resourceId === undefined || !(expiresAt > 0))
    throw new Fault("transient", "Google opened a notification channel without saying which, or until when.");
  return { ...asked, resourceId, expiresAt: new Date(expiresAt) };
}

/** One that has ended by itself, or was never opened, is stopped already. */
async function stopChannel(client: GoogleClient, channel: { id: string; resourceId: string }): Promise<void> {
  await client.call({
    method: "POST",
    purpose: "readUsers",
    path: "/admin/directory_v1/channels/stop",
    body: channel,
    expect: [400, 404],
  });
}

/** Judges a notification by its headers alone; its body is not trusted, and not needed. `sync` only says that the channel is there. */
export function receiveNotification(call: HookCall, { secret }: { secret: string | undefined }): HookAnswer | "refused" {
  const given = call.headers["x-goog-channel-token"];
  if (call.method !== "POST" || secret === undefined || typeof given !== "string") return "refused";
  if (!timingSafeEqual(digest(given), digest(secret))) return "refused";
  return call.headers["x-goog-resource-state"] === "sync" ? { status: 204 } : { status: 204, hint: { kinds: ["user"] } };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
