import type { Logger } from "pino";
import { Fault, type Kind } from "../contract.ts";
import type { GraphClient } from "./client.ts";
import type { EntraSettings } from "./config.ts";
import type { Tracked } from "./delta.ts";
import type { Places } from "./places.ts";
import { UNIT_PROPERTIES } from "./records.ts";
import { placeProperties } from "./unit-names.ts";

/** What every read has at hand. */
export interface Reading {
  client: GraphClient;
  settings: EntraSettings;
  log: Logger;
  signal: AbortSignal;
  now: () => Date;
  /** How changes of a kind are tracked. Throws `misconfigured` for a kind that is not read. */
  tracked(kind: Kind): Tracked;
  places: Places;
}

/** Departments and companies follow from people, and come after them. */
export function kindsOf({ units, groups }: EntraSettings): Kind[] {
  const unit = units === undefined ? [] : ["unit" as const];
  const people = units === "administrativeUnits" ? ([...unit, "user"] as const) : (["user", ...unit] as const);
  return [...people, ...(groups ? ["group" as const] : [])];
}

export function trackedBy(settings: EntraSettings): (kind: Kind) => Tracked {
  const { units, userProperties, groupProperties, manager } = settings;
  const places = placeProperties(units);
  const users: Tracked = {
    path: "/users/delta",
    select: [...new Set([...userProperties, ...places]), ...(manager ? ["manager"] : [])],
    needs: "User.Read.All",
    what: "users",
  };
  return (kind) => {
    if (!kindsOf(settings).includes(kind))
      throw new Fault(
        "misconfigured",
        kind === "unit" ? "The settings do not say what the units are: give units." : "Groups are not read: set groups to true.",
      );
    if (kind === "user") return users;
    if (kind === "group")
      return {
        path: "/groups/delta",
        select: [...new Set([...groupProperties, "members"])],
        needs: "GroupMember.Read.All",
        what: "groups",
      };
    if (units === "administrativeUnits")
      return { path: UNITS_DELTA, select: UNIT_PROPERTIES, needs: "AdministrativeUnit.Read.All", what: "administrative units" };
    // The same link serves both, so that one round is enough.
    return users;
  };
}

const UNITS_DELTA = "/directory/administrativeUnits/delta";

/** Who is in which administrative unit: tracked beside the users, whose records say it. */
export const UNIT_MEMBERS: Tracked = {
  path: UNITS_DELTA,
  select: ["members"],
  needs: "AdministrativeUnit.Read.All",
  what: "administrative units' members",
};
