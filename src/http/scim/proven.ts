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
