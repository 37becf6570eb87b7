import type { Work } from "../../db/database.ts";
import { open, seal, type KeyRing, type SealingKey } from "../../db/envelope.ts";
import { personKeys } from "../../directory/personal.ts";

/** What a factor holds, or will hold once it is enrolled under the same id. */
interface Held {
  keyRing: KeyRing;
  personId: string;
  factorId: string;
}

/** Seals what a factor holds with the person's key, which a rotation of the master key renews and an erasure destroys. */
export async function sealHeld(work: Work, { keyRing, personId, factorId, plain }: Held & { plain: string }): Promise<string> {
  return seal(await keyOfPerson(work, { keyRing, personId }), { purpose: purposeOf(factorId), plain });
}

/** Throws `misconfigured` when the master key is not the one in use, or the value was changed. */
export async function openHeld(work: Work, { keyRing, personId, factorId, sealed }: Held & { sealed: string }): Promise<string> {
  const current = await keyOfPerson(work, { keyRing, personId });
  return open({ current, older: [] }, { purpose: purposeOf(factorId), sealed });
}

/** The person's own key; made when there is none yet. */
export async function keyOfPerson(work: Work, { keyRing, personId }: Omit<Held, "factorId">): Promise<SealingKey> {
  const key = (await personKeys(work, keyRing, [personId])).get(personId);
  if (!key) throw new Error("a person's key was neither found nor made");
  return key;
}

function purposeOf(factorId: string): string {
  return `factor.${factorId}`;
}
