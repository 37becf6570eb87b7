import type { Sql } from "../../db/database.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import type { Finding } from "./finding.ts";
import { patternsOfNetworks, patternsOfOrganisation } from "./patterns-of-networks.ts";
import { patternsOfPeople } from "./patterns-of-people.ts";
import { patternsOfTokens } from "./patterns-of-tokens.ts";
import type { PlaceOf } from "./places.ts";

export interface Search {
  now: Date;
  /** Only subjects of which something was noted after it. */
  since: Date;
  settings: SignInSettings["risk"];
  placeOf: PlaceOf;
}

/** What the attempts noted since then show; of one person, only what is about them. */
export async function findPatterns(sql: Sql, search: Search & { personId?: string | undefined }): Promise<Finding[]> {
  const ofPeople = await patternsOfPeople(sql, search);
  if (search.personId !== undefined) return ofPeople;
  return [
    ...ofPeople,
    ...(await patternsOfNetworks(sql, search)),
    ...(await patternsOfOrganisation(sql, search)),
    ...(await patternsOfTokens(sql, search)),
  ];
}
