import { giveGrant } from "../../../../src/access/grants.ts";
import type { ApiDoor } from "../api-door.ts";
import type { Samples, Side } from "./sample.ts";

/** A role that nothing but the right to give is needed for: none of its permissions may be missing at whoever gives it. */
const HARMLESS = "rollcall-access-checker";

/** One that begins in years, so that it gives nobody anything in the meantime. */
const given = (door: ApiDoor, { unitId, personId }: Side) =>
  door.work((work) => giveGrant(work, { personId, role: HARMLESS, unit: unitId, from: new Date("2090-01-01"), reason: "sample" }));

export const grantSamples: Samples = {
  "POST /grants": (_door, { unitId, personId }) => ({ body: { personId, role: HARMLESS, unitId, reason: "sample" } }),
  "GET /grants/{id}": async (door, side) => ({ params: { id: await given(door, side) } }),
  "PATCH /grants/{id}": async (door, side) => ({ params: { id: await given(door, side) }, body: { reason: "sample" } }),
  "POST /grants/{id}/revoke": async (door, side) => ({ params: { id: await given(door, side) }, body: { reason: "sample" } }),
};
