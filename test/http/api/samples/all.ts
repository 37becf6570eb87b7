import type { Samples } from "./sample.ts";
import { unitSamples } from "./units.ts";

/** A line a noun. */
export const SAMPLES: Samples = { ...unitSamples };
