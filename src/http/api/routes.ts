import type { Route } from "./route.ts";
import { accessRoutes } from "./routes/access.ts";
import { attributeRoutes } from "./routes/attributes.ts";
import { auditRoutes } from "./routes/audit.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { checkRoutes } from "./routes/check.ts";
import { grantRoutes } from "./routes/grants.ts";
import { meRoutes } from "./routes/me.ts";
import { moduleRoutes } from "./routes/modules.ts";
import { peopleRoutes } from "./routes/people.ts";
import { personLifecycleRoutes } from "./routes/person-lifecycle.ts";
import { personTeamRoutes } from "./routes/person-team.ts";
import { photoRoutes } from "./routes/photos.ts";
import { permissionRoutes } from "./routes/permissions.ts";
import { requestRoutes } from "./routes/requests.ts";
import { roleRoutes } from "./routes/roles.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { unitRoutes } from "./routes/units.ts";

/** Every route of the administration API, a line a noun. */
export function apiRoutes(): Route[] {
  const routes = [
    ...meRoutes,
    ...accessRoutes,
    ...checkRoutes,
    ...peopleRoutes,
    ...personLifecycleRoutes,
    ...personTeamRoutes,
    ...attributeRoutes,
    ...photoRoutes,
    ...unitRoutes,
    ...roleRoutes,
    ...permissionRoutes,
    ...moduleRoutes,
    ...grantRoutes,
    ...requestRoutes,
    ...tokenRoutes,
    ...auditRoutes,
  ];
  return [...routes, ...bulkRoutes(routes)];
}
