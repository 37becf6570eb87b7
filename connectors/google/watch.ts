import { randomUUID, timingSafeEqual, createHash } from "node:crypto";
import { Fault } from "../contract.ts";
import { customerOf, type GoogleClient } from "./client.ts";
import { isObject, textOf } from "./json.ts";

/** Directory API, push notifications: users only, one channel an event, and no longer than two days. */
const EVENTS = ["add", "delete", "undelete", "update"] as const;
const LONGEST_SECONDS = 172_800;

/** A notification channel, as it must be kept to be renewed and stopped. */
export interface Channel {
  id: string;
  resourceId: string;
  event: (typeof EVENTS)[number];
  /** Milliseconds since 1970. */
  expiresAt: number;
}

export interface ChannelOptions {
  /** Our public https address for notifications. */
  address: string;
  /** A secret that comes back with every notification; at most 256 characters. */
  token: string;
  ttlSeconds?: number;
}

/** Opens a channel for each event. What one of them tells is only a hint: the next run's listing decides. */
export async function openChannels(
  client: GoogleClient,
  { address, token, ttlSeconds = LONGEST_SECONDS }: ChannelOptions,
): Promise<Channel[]> {
  const opened: Channel[] = [];
  try {
    for (const event of EVENTS) {
      const { body } = await client.call({
        method: "POST",
        purpose: "readUsers",
        path: "/users/watch",
        query: { ...customerOf(client.settings), event },
        body: { id: randomUUID(), type: "web_hook", address, token, params: { ttl: String(Math.min(ttlSeconds, LONGEST_SECONDS)) } },
        once: true,
      });
      opened.push(channelOf(body, event));
    }
  } catch (error) {
    await closeChannels(client, opened);
    throw error;
  }
  return opened;
}

/**
 * Channels can't be prolonged: once a quarter of the time is left for any of them, new ones are opened and then the old ones stopped,
 * so that nothing falls between. Returns what is to be kept.
 */
export async function renewChannels(
  client: GoogleClient,
  channels: readonly Channel[],
  options: ChannelOptions,
): Promise<readonly Channel[]> {
  const { ttlSeconds = LONGEST_SECONDS } = options;
  const soon = client.now().getTime() + (Math.min(ttlSeconds, LONGEST_SECONDS) * 1000) / 4;
  if (channels.length === EVENTS.length && channels.every(({ expiresAt }) => expiresAt > soon)) return channels;
  const opened = await openChannels(client, options);
  await closeChannels(client, channels);
  return opened;
}

/** Stops channels; one that has ended by itself is stopped already. */
export async function closeChannels(client: GoogleClient, channels: readonly Channel[]): Promise<void> {
  for (const { id, resourceId } of channels) {
    await client.call({
      method: "POST",
      purpose: "readUsers",
      path: "/admin/directory_v1/channels/stop",
      body: { id, resourceId },
      expect: [400, 404],
    });
  }
}

/** What a notification asks for. `refused`: it does not bear our token; `opened`: only says that the channel is there. */
export type Hint = "read" | "opened" | "refused";

/** Judges a notification by its headers alone; its body is not trusted, and not needed. Headers are named in lower case. */
export function hintOf(headers: Readonly<Record<string, string | string[] | undefined>>, { token }: { token: string }): Hint {
  const given = headers["x-goog-channel-token"];
  if (typeof given !== "string" || !timingSafeEqual(digest(given), digest(token))) return "refused";
  return headers["x-goog-resource-state"] === "sync" ? "opened" : "read";
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function channelOf(body: unknown, event: Channel["event"]): Channel {
  const channel = isObject(body) ? body : {};
  const id = textOf(channel["id"]);
  const resourceId = textOf(channel["resourceId"]);
  const expiresAt = Number(channel["expiration"]);
  if (id === undefined || resourceId === undefined || !(expiresAt > 0))
    throw new Fault("transient", "Google opened a notification channel without saying which, or until when.");
  return { id, resourceId, event, expiresAt };
}
