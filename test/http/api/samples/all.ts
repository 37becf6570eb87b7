import { checkSamples } from "./check.ts";
import { factorSamples } from "./factors.ts";
import { grantSamples } from "./grants.ts";
import { groupSamples } from "./groups.ts";
import { importSamples } from "./imports.ts";
import { incidentSamples } from "./incidents.ts";
import { noticeSamples } from "./notices.ts";
import { peopleSamples } from "./people.ts";
import { previewSamples } from "./previews.ts";
import { requestSamples } from "./requests.ts";
import type { Samples } from "./sample.ts";
import { sessionSamples } from "./sessions.ts";
import { tokenSamples } from "./tokens.ts";
import { unitSamples } from "./units.ts";

/** A line a noun. */
export const SAMPLES: Samples = {
  ...checkSamples,
  ...factorSamples,
  ...grantSamples,
  ...groupSamples,
  ...importSamples,
  ...incidentSamples,
  ...noticeSamples,
  ...peopleSamples,
  ...previewSamples,
  ...requestSamples,
  ...sessionSamples,
  ...tokenSamples,
  ...unitSamples,
};
