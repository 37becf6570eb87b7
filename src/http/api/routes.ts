import type { Route } from "./route.ts";
import { accessRoutes } from "./routes/access.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { attributeRoutes } from "./routes/attributes.ts";
import { auditRoutes } from "./routes/audit.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { bounceRoutes } from "./routes/bounces.ts";
import { checkRoutes } from "./routes/check.ts";
import { connectionHookRoutes } from "./routes/connection-hooks.ts";
import { connectionTrialRoutes } from "./routes/connection-trials.ts";
import { connectionRoutes } from "./routes/connections.ts";
import { connectorRoutes } from "./routes/connectors.ts";
import { deliveryRoutes } from "./routes/deliveries.ts";
import { grantRoutes } from "./routes/grants.ts";
import { deletionRoutes } from "./routes/deletion.ts";
import { exportRoutes } from "./routes/export.ts";
import { factorRoutes } from "./routes/factors.ts";
import { importRoutes } from "./routes/imports.ts";
import { incidentRoutes } from "./routes/incidents.ts";
import { groupRoutes } from "./routes/groups.ts";
import { meRoutes } from "./routes/me.ts";
import { moduleRoutes } from "./routes/modules.ts";
import { noticeRoutes } from "./routes/notices.ts";
import { passwordRoutes } from "./routes/passwords.ts";
import { peopleRoutes } from "./routes/people.ts";
import { permissionRoutes } from "./routes/permissions.ts";
import { personLifecycleRoutes } from "./routes/person-lifecycle.ts";
import { personTeamRoutes } from "./routes/person-team.ts";
import { photoRoutes } from "./routes/photos.ts";
import { planRoutes } from "./routes/plans.ts";
import { requestRoutes } from "./routes/requests.ts";
import { previewRoutes } from "./routes/previews.ts";
import { roleRoutes } from "./routes/roles.ts";
import { runRoutes } from "./routes/runs.ts";
import { targetRoutes } from "./routes/targets.ts";
import { ruleRoutes } from "./routes/rules.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { stepRoutes } from "./routes/steps.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { unitTypeRoutes } from "./routes/unit-types.ts";
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
    ...importRoutes,
    ...deletionRoutes,
    ...exportRoutes,
    ...factorRoutes,
    ...passwordRoutes,
    ...sessionRoutes,
    ...noticeRoutes,
    ...bounceRoutes,
    ...unitRoutes,
    ...unitTypeRoutes,
    ...groupRoutes,
    ...roleRoutes,
    ...permissionRoutes,
    ...moduleRoutes,
    ...grantRoutes,
    ...requestRoutes,
    ...previewRoutes,
    ...ruleRoutes,
    ...tokenRoutes,
    ...auditRoutes,
    ...stepRoutes,
    ...connectorRoutes,
    ...connectionRoutes,
    ...connectionTrialRoutes,
    ...connectionHookRoutes,
    ...runRoutes,
    ...planRoutes,
    ...accountRoutes,
    ...targetRoutes,
    ...deliveryRoutes,
    ...incidentRoutes,
  ];
  return [...routes, ...bulkRoutes(routes)];
}
