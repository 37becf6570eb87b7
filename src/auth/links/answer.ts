import type { Work } from "../../db/database.ts";
import { setPassword, type NewPassword } from "../passwords/set.ts";
import { useLink, type OpenLink } from "./links.ts";

/**
 * Sets a password by a link of one use, in the caller's transaction: somebody invited becomes active. A password that breaks the rules leaves
 * the link as it was. Throws `forbidden` for a link that does not work, `invalid` with every problem of the password.
 */
export async function answerLink(
  work: Work,
  { token, ...password }: { token: string } & Pick<NewPassword, "password" | "keyRing" | "settings" | "endTokens">,
): Promise<OpenLink> {
  const link = await useLink(work, { token });
  await setPassword(work, { ...password, personId: link.personId, how: link.purpose });
  return link;
}
