import { checkSamples } from "./check.ts";
import { grantSamples } from "./grants.ts";
import { peopleSamples } from "./people.ts";
import { previewSamples } from "./previews.ts";
import { requestSamples } from "./requests.ts";
import type { Samples } from "./sample.ts";
import { tokenSamples } from "./tokens.ts";
import { unitSamples } from "./units.ts";

/** A line a noun. */
export const SAMPLES: Samples = {
  ...checkSamples,
  ...grantSamples,
  ...peopleSamples,
  ...previewSamples,
  ...requestSamples,
  ...tokenSamples,
  ...unitSamples,
};
