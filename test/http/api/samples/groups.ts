import { createGroup } from "../../../../src/access/group-changes.ts";
import type { ApiDoor } from "../api-door.ts";
import type { Samples } from "./sample.ts";

/** Groups belong to the whole organisation: it makes no difference whose side asks. */
const aGroup = async (door: ApiDoor) => ({ id: await door.work((work) => createGroup(work, { displayName: "Sample" })) });

export const groupSamples: Samples = {
  "GET /groups/{id}": async (door) => ({ params: await aGroup(door) }),
  "PATCH /groups/{id}": async (door) => ({ params: await aGroup(door), body: { displayName: "Other" } }),
  "DELETE /groups/{id}": async (door) => ({ params: await aGroup(door), body: { reason: "sample" } }),
  "GET /groups/{id}/members": async (door) => ({ params: await aGroup(door) }),
  "POST /groups/{id}/members": async (door, { personId }) => ({ params: await aGroup(door), body: { add: { people: [personId] } } }),
  "GET /groups/{id}/groups": async (door) => ({ params: await aGroup(door) }),
};
