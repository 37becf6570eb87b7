import { ROLE_SCHEMA, UNIT_SCHEMA } from "./organisation-schemas.ts";
import type { ResourceType } from "./resource-type.ts";
import { rolesView } from "./roles-view.ts";
import { unitsView } from "./units-view.ts";

/** Resource types of our own, for reading. */
export const UNITS: ResourceType = { kind: "unit", schema: UNIT_SCHEMA, view: unitsView };
export const ROLES: ResourceType = { kind: "role", schema: ROLE_SCHEMA, view: rolesView };
