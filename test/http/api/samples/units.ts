import type { Samples } from "./sample.ts";

export const unitSamples: Samples = {
  "POST /units": (_door, { unitId }) => ({ body: { name: "Sample", parentId: unitId } }),
};
