import type { Samples } from "./sample.ts";

const theirs = async (door: Parameters<Samples[string]>[0], personId: string) => {
  const token = await door.newToken({ personId });
  const { rows } = await door.db.pool.query<{ id: string }>("select id from tokens where prefix = $1", [token.split("_")[2]]);
  return rows[0]?.id ?? "";
};

export const tokenSamples: Samples = {
  "GET /tokens/{id}": async (door, { personId }) => ({ params: { id: await theirs(door, personId) } }),
  "POST /tokens/{id}/rotate": async (door, { personId }) => ({ params: { id: await theirs(door, personId) }, body: {} }),
  "POST /tokens/{id}/renew": async (door, { personId }) => ({
    params: { id: await theirs(door, personId) },
    body: { expiresAt: new Date(door.clock.now().getTime() + 86_400_000).toISOString() },
  }),
  "POST /tokens/{id}/revoke": async (door, { personId }) => ({ params: { id: await theirs(door, personId) }, body: { reason: "sample" } }),
  "POST /tokens": (_door, { unitId }) => ({
    body: { for: "service", name: "sample", permissions: ["rollcall.units.view"], unitIds: [unitId] },
  }),
};
