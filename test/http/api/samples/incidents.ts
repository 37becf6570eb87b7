import { randomUUID } from "node:crypto";
import type { ApiDoor } from "../api-door.ts";
import type { Samples, Side } from "./sample.ts";

const about = async (door: ApiDoor, { personId }: Side, state: "open" | "closed" = "open") => {
  const id = randomUUID();
  const closed = state === "closed";
  await door.db.pool.query(
    `insert into incidents (id, kind, subject_type, subject_id, person_id, state, outcome, opened_at, last_at, closed_at)
     values ($1, $2, 'person', $3::text, $3::uuid, $4, $5, now(), now(), $6)
     on conflict (kind, subject_type, subject_id) where state <> 'closed' do update set id = excluded.id`,
    [id, closed ? "network_change" : "many_failures", personId, state, closed ? "resolved" : null, closed ? new Date() : null],
  );
  return { params: { id } };
};

export const incidentSamples: Samples = {
  "GET /incidents/{id}": (door, side) => about(door, side),
  "GET /incidents/{id}/attempts": (door, side) => about(door, side),
  "PATCH /incidents/{id}": async (door, side) => ({ ...(await about(door, side)), body: { state: "investigating" } }),
  "POST /incidents/{id}/notes": async (door, side) => ({ ...(await about(door, side)), body: { text: "sample" } }),
  "POST /incidents/{id}/close": async (door, side) => ({ ...(await about(door, side)), body: { outcome: "resolved", reason: "sample" } }),
  "POST /incidents/{id}/reopen": async (door, side) => ({ ...(await about(door, side, "closed")), body: { reason: "sample" } }),
};
