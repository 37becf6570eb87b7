/** Permissions of the module `rollcall` (config/roles/rollcall.yaml): what guards our own doors. A test holds the two together. */
export const OWN_PERMISSIONS = [
  "rollcall.people.view",
  "rollcall.people.create",
  "rollcall.people.edit",
  "rollcall.people.lifecycle",
  "rollcall.people.delete",
  "rollcall.people.import",
  "rollcall.people.export",
  "rollcall.attributes.edit",
  "rollcall.units.view",
  "rollcall.units.edit",
  "rollcall.groups.view",
  "rollcall.groups.edit",
  "rollcall.roles.view",
  "rollcall.roles.edit",
  "rollcall.rules.view",
  "rollcall.rules.edit",
  "rollcall.grants.view",
  "rollcall.grants.give",
  "rollcall.access.check",
  "rollcall.access.view",
  "rollcall.requests.decide",
  "rollcall.connections.view",
  "rollcall.connections.edit",
  "rollcall.connections.run",
  "rollcall.plans.view",
  "rollcall.plans.approve",
  "rollcall.audit.view",
  "rollcall.audit.export",
  "rollcall.audit.retain",
  "rollcall.tokens.view",
  "rollcall.tokens.edit",
  "rollcall.sessions.view",
  "rollcall.sessions.end",
  "rollcall.credentials.view",
  "rollcall.credentials.reset",
  "rollcall.incidents.view",
  "rollcall.incidents.edit",
  "rollcall.authentication.edit",
] as const;

export type OwnPermission = (typeof OWN_PERMISSIONS)[number];

/** What everybody may do with themselves, without a grant (P7). Which attributes they may change, the attributes say. */
export const ON_ONESELF: ReadonlySet<OwnPermission> = new Set<OwnPermission>([
  "rollcall.people.view",
  "rollcall.people.edit",
  "rollcall.people.export",
  "rollcall.grants.view",
  "rollcall.access.view",
  "rollcall.sessions.view",
  "rollcall.sessions.end",
  "rollcall.credentials.view",
]);

/** What managers may do with who reports to them, directly or through others (P7). */
export const ON_THE_TEAM: ReadonlySet<OwnPermission> = new Set<OwnPermission>([
  "rollcall.people.view",
  "rollcall.people.edit",
  "rollcall.grants.view",
  "rollcall.access.view",
]);
