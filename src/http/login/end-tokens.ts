import { z } from "zod";
import { countOwnTokens } from "../../auth/own-tokens.ts";
import { html, type Html } from "./html.ts";
import type { Visit } from "./visit.ts";

/** The tick in forms that set a password or sign out elsewhere: whether one's API tokens end, too. */
export const endTokensForm = z.object({ tokens: z.literal("end").optional() });

/** Offers to end somebody's API tokens; nothing where they have none. */
export async function endTokensField({ options, say }: Visit, personId: string): Promise<Html | false> {
  const count = await countOwnTokens(options.db.requestPool, { personId, now: options.now() });
  return (
    count > 0 && html`<label><input type="checkbox" name="tokens" value="end" /> ${say("pages.account.end_tokens", { count })}</label>`
  );
}
