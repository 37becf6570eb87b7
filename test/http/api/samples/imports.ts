import type { ApiDoor } from "../api-door.ts";
import type { Samples } from "./sample.ts";

/** Handed in by a service: none of the callers' own, so only who steers the organisation sees it. */
const theirs = async (door: ApiDoor) => {
  const body = Buffer.from("userName\nsample\n");
  const { body: made } = await door.request("POST", "/people/imports", { body, headers: { "Content-Type": "text/csv" } }).expect(201);
  return { params: { id: String(made.id) } };
};

export const importSamples: Samples = {
  "GET /people/imports/{id}": theirs,
  "GET /people/imports/{id}/rows": theirs,
  "POST /people/imports/{id}/apply": async (door) => ({ ...(await theirs(door)), body: { hash: "0".repeat(64), reason: "sample" } }),
  "DELETE /people/imports/{id}": theirs,
};
