import { requireFactor } from "../../../../src/auth/factors/requirements.ts";
import type { Samples } from "./sample.ts";

export const factorSamples: Samples = {
  "POST /factor-requirements": (_door, { unitId }) => ({ body: { kind: "unit", subjectId: unitId, reason: "sample" } }),
  "POST /factor-requirements/{id}/lift": async (door, { unitId }) => {
    await door.db.pool.query("delete from factor_requirements where unit_id = $1", [unitId]);
    const id = await door.work((work) => requireFactor(work, { subject: { unitId }, reason: "sample" }));
    return { params: { id }, body: { reason: "sample" } };
  },
};
