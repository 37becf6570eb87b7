import type { Response } from "express";
import type { TokenProof } from "../../auth/tokens.ts";
import { callOf, claimedCallOf, type Call } from "./call.ts";

export interface Read<T> {
  call: Call;
  value: T;
}

/**
 * Reads for a client that may only be claimed: `read` asks for the proof's stamp in its own statement. When that is not
 * the stamp which was remembered, nothing of what was read is used: the client is authenticated in full, and the read is
 * made again. Whatever fails before anything is proved fails as it does for a stranger.
 */
export async function proven<T extends { stamp: string | null }>(
  response: Response,
  read: (call: Call, proof: TokenProof | undefined) => Promise<T>,
): Promise<Read<T>> {
  const claimed = claimedCallOf(response);
  if (claimed) {
    const { call, proof } = claimed;
    const value = await read(call, proof);
    if (value.stamp === proof.stamp) return { call, value };
    await claimed.authenticate();
  }
  const call = callOf(response);
  return { call, value: await read(call, undefined) };
}

/** A write for a client that may only be claimed. */
export interface ProvenWrite<T> {
  /** One statement's write, whose look compares the proof's stamp; else nothing is written, and a word says why. */
  atOnce(call: Call, proof: TokenProof): Promise<T | string>;
  /** All that may be needed, for a client that is authenticated. */
  inFull(call: Call): Promise<T>;
}

/** Writes at once for a client that is remembered; when that can't be, or it is not what it was, it is authenticated in full first. */
export async function provenWrite<T extends object>(response: Response, { atOnce, inFull }: ProvenWrite<T>): Promise<Read<T>> {
  const claimed = claimedCallOf(response);
  if (claimed) {
    const { call, proof } = claimed;
    const value = await atOnce(call, proof);
    if (typeof value !== "string") return { call, value };
    await claimed.authenticate();
  }
  const call = callOf(response);
  return { call, value: await inFull(call) };
}
