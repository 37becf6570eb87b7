import type { Route } from "./route.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { meRoutes } from "./routes/me.ts";
import { unitRoutes } from "./routes/units.ts";

/** Every route of the administration API, a line a noun. */
export function apiRoutes(): Route[] {
  const routes = [...meRoutes, ...unitRoutes];
  return [...routes, ...bulkRoutes(routes)];
}
