import type { Samples } from "./sample.ts";

export const previewSamples: Samples = {
  // Refused as a circle once it is known that the caller may move the unit.
  "POST /previews": (_door, { unitId }) => ({ body: { kind: "unitMove", unitId, parentId: unitId } }),
};
