import { makeRequest } from "../../../../src/access/requests.ts";
import type { ApiDoor } from "../api-door.ts";
import type { Samples, Side } from "./sample.ts";

const ROLE = "rollcall-access-checker";

/** For that side's person, by somebody else there. */
const asked = async (door: ApiDoor, { unitId, personId }: Side) => {
  await door.db.pool.query("delete from access_requests where person_id = $1", [personId]);
  const requestedBy = await door.newPerson({ unitId });
  return door.work((work) => makeRequest(work, { personId, requestedBy, role: ROLE, unitId, reason: "sample" }));
};
const decided = async (door: ApiDoor, side: Side) => ({ params: { id: await asked(door, side) }, body: { reason: "sample" } });

export const requestSamples: Samples = {
  "POST /requests": (_door, { unitId, personId }) => ({ body: { personId, role: ROLE, unitId, reason: "sample" } }),
  "GET /requests/{id}": async (door, side) => ({ params: { id: await asked(door, side) } }),
  "POST /requests/{id}/approve": decided,
  "POST /requests/{id}/refuse": decided,
  "POST /requests/{id}/withdraw": decided,
};
