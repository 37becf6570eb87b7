import { randomUUID } from "node:crypto";
import type { Samples } from "./sample.ts";

export const peopleSamples: Samples = {
  "POST /people": (_door, { unitId }) => ({ body: { userName: `sample-${randomUUID()}`, unitIds: [unitId] } }),
};
