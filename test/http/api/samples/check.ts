import type { Samples } from "./sample.ts";

export const checkSamples: Samples = {
  // Whatever the unit, whoever may check somewhere is answered: about a unit out of reach, with `forbidden`.
  "POST /check": (_door, { unitId, personId }) => ({
    body: { questions: [{ person: personId, permission: "rollcall.units.view", unit: unitId }] },
  }),
};
