import { Fault, type AttributeObject, type Kind } from "../contract.ts";
import type { ScimClient } from "./client.ts";
import { listAll } from "./listing.ts";

export interface ProofOptions {
  kind: Kind;
  /** As what is learned calls the attribute. */
  key: string;
  /** What a resource has in the attribute. */
  valueOf: (resource: AttributeObject) => string | undefined;
  /** Whether the filter finds who has this value. */
  hits: (value: string) => Promise<boolean>;
}

/**
 * Whether a filter's 404 means that nobody matches. Some answer so to every filter, and everybody whom they have would be made a
 * second time: the 404 is believed once the filter has found somebody, or where nobody has the attribute. Until then somebody listed
 * is asked for.
 */
export async function isNobodyBy(client: ScimClient, { kind, key, valueOf, hits }: ProofOptions): Promise<boolean> {
  const { filtered, unheld } = client.learned;
  if (filtered.has(key)) return true;
  const believed = unheld.get(key) ?? 0;
  if (believed > 0) {
    unheld.set(key, believed - 1);
    return true;
  }
  const listed = await firstHeld(client, { kind, valueOf });
  if (listed.value === undefined) {
    // Nobody has it: who gets it later is met before long, and many are not looked for by reading everybody for each.
    unheld.set(key, Math.max(0, listed.pages - 1));
    return true;
  }
  if (!(await hits(listed.value))) return false;
  filtered.add(key);
  return true;
}

/** The first value that somebody listed has, and the pages read until then. */
async function firstHeld(
  client: ScimClient,
  { kind, valueOf }: Pick<ProofOptions, "kind" | "valueOf">,
): Promise<{ value: string | undefined; pages: number }> {
  let pages = 0;
  try {
    for await (const page of listAll(client, { kind })) {
      pages += 1;
      const value = page.map(valueOf).find((held) => held !== undefined);
      if (value !== undefined) return { value, pages };
    }
  } catch (error) {
    // Where nobody may list, nobody can be asked for either: there is nothing else to go by than the 404.
    if (!(error instanceof Fault) || error.kind === "transient" || error.kind === "throttled") throw error;
  }
  return { value: undefined, pages };
}
