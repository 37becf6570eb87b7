import type { Route } from "./route.ts";
import { attributeRoutes } from "./routes/attributes.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { checkRoutes } from "./routes/check.ts";
import { meRoutes } from "./routes/me.ts";
import { peopleRoutes } from "./routes/people.ts";
import { personLifecycleRoutes } from "./routes/person-lifecycle.ts";
import { personTeamRoutes } from "./routes/person-team.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { unitRoutes } from "./routes/units.ts";

/** Every route of the administration API, a line a noun. */
export function apiRoutes(): Route[] {
  const routes = [
    ...meRoutes,
    ...checkRoutes,
    ...peopleRoutes,
    ...personLifecycleRoutes,
    ...personTeamRoutes,
    ...attributeRoutes,
    ...unitRoutes,
    ...tokenRoutes,
  ];
  return [...routes, ...bulkRoutes(routes)];
}
