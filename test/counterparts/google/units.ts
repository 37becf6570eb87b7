import { GoogleError } from "./errors.ts";
import type { Request } from "./request.ts";
import { etagOf, type Organisation, type Unit } from "./state.ts";

export function listUnits(of: Organisation, { query }: Request, [customer = ""]: readonly string[]): unknown {
  if (customer !== "my_customer" && customer !== of.customerId) throw new GoogleError(400, "badRequest", "Bad Request");
  const type = query.get("type") ?? "children";
  const under = query.get("orgUnitPath") || "/";
  const units = [...of.units.values()].filter(({ orgUnitPath, parentOrgUnitPath }) => {
    if (orgUnitPath === under) return type === "allIncludingParent";
    return type === "children" ? parentOrgUnitPath === under : orgUnitPath.startsWith(under === "/" ? "/" : `${under}/`);
  });
  return {
    kind: "admin#directory#orgUnits",
    etag: etagOf(of.version),
    ...(units.length > 0 ? { organizationUnits: units.map(unitBody) } : {}),
  };
}

export function oneUnit(of: Organisation, _: Request, [, key = ""]: readonly string[]): unknown {
  const unit = [...of.units.values()].find(({ orgUnitId, orgUnitPath }) => orgUnitId === key || orgUnitPath === `/${key}`);
  if (unit === undefined) throw new GoogleError(404, "notFound", "Org unit not found");
  return unitBody(unit);
}

function unitBody(unit: Unit): Record<string, unknown> {
  const body = { kind: "admin#directory#orgUnit", ...unit };
  return { ...body, etag: etagOf(body) };
}
