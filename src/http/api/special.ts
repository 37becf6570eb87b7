import type { Readable } from "node:stream";

/** An answer that is not the route's JSON: bytes, text that streams, or server-sent events. */
export type Special =
  | { special: "bytes"; type: string; bytes: Buffer; headers?: Readonly<Record<string, string>> }
  | { special: "stream"; type: string; stream: Readable; headers?: Readonly<Record<string, string>> }
  | { special: "events"; events: (signal: AbortSignal) => AsyncIterable<ServerEvent> }
  | { special: "unchanged"; headers?: Readonly<Record<string, string>> };

/** One server-sent event; `id` is where a reader that comes back goes on. */
export interface ServerEvent {
  event: string;
  id?: string;
  data: unknown;
}

export function isSpecial(value: unknown): value is Special {
  return typeof value === "object" && value !== null && "special" in value && typeof value.special === "string";
}
