import { isDeepStrictEqual } from "node:util";
import type { Mapping } from "../connections/definition.ts";

/** What of a mapping the preview of access does not compute: the next run's plan shows it. */
export const LEFT_OUT = ["newcomers", "groups", "units", "employment"] as const;
export type LeftOut = (typeof LEFT_OUT)[number];

/** Which of them another mapping changes, so that its preview is not the whole difference. Pure. */
export function leftOutOf(before: Mapping | null, after: Mapping): LeftOut[] {
  const differs = (pick: (mapping: Mapping | null) => unknown) => !isDeepStrictEqual(plain(pick(before)), plain(pick(after)));
  const attributes = (wanted: (key: string) => boolean) => (mapping: Mapping | null) =>
    Object.fromEntries(Object.entries(mapping?.user?.attributes ?? {}).filter(([key]) => wanted(key)));
  const changed: Record<LeftOut, boolean> = {
    newcomers: differs((mapping) => [mapping?.user, mapping?.match, mapping?.situations]),
    // Who falls out of the scope leaves the groups into which the connection put them, whatever becomes of the groups.
    groups: differs((mapping) => mapping?.group) || (after.group !== undefined && differs((mapping) => mapping?.user?.scope)),
    units: differs((mapping) => mapping?.unit),
    employment: differs((mapping) => mapping?.employment) || differs(attributes((key) => TIMED.test(key))),
  };
  return LEFT_OUT.filter((each) => changed[each]);
}

const TIMED = /^(employment|transfer)/;

/** As it is stored. */
function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}
