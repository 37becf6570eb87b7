import type { Route } from "./route.ts";
import { meRoutes } from "./routes/me.ts";
import { unitRoutes } from "./routes/units.ts";

/** Every route of the administration API, a line a noun. */
export function apiRoutes(): Route[] {
  return [...meRoutes, ...unitRoutes];
}
