import type { PlainValue } from "../../db/shared-reads.ts";
import type { Call } from "./call.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Parameters, View } from "./view.ts";

/** Stands for any connection while a statement is made. */
const CONNECTION = 0;
const READER = { personId: "reader", hidden: "hidden", own: "own" } as const;

type CallPlace = "connection" | "base" | "reader" | "hidden" | "own";
const CALL_PLACES: readonly (readonly [unknown, CallPlace])[] = [
  [CONNECTION, "connection"],
  ...(["base", "reader", "hidden", "own"] as const).map((place) => [place, place] as const),
];

/** A type's view made with names in its values' places: a statement of it serves every client that sees the type in the same way. */
export interface PlacedView<Place extends string> {
  view: View;
  /** Takes what stands for a value, one of `own`. */
  parameters: Parameters;
  /** Whether all values that were taken have a place: false when one was made of another, and the statement serves nobody. */
  isWhole(): boolean;
  /** The values in their order, for one client. */
  values(call: Call, own: Readonly<Record<Place, PlainValue>>): PlainValue[];
}

export interface PlacedViewOptions<Place extends string> {
  type: Pick<ResourceType, "view">;
  /** What stands for the statement's own values, and the names of their places. */
  own: readonly (readonly [unknown, Place])[];
}

/** How clients like the one of a call see a type, whatever their values are. */
export function placedView<Place extends string>(
  { visibility, reader }: Pick<Call, "visibility" | "reader">,
  { type, own }: PlacedViewOptions<Place>,
): PlacedView<Place> {
  const placeOf = new Map<unknown, CallPlace | Place>([...CALL_PLACES, ...own]);
  const places: (CallPlace | Place | undefined)[] = [];
  const values: unknown[] = [];
  const parameters: Parameters = {
    values,
    add(value) {
      places.push(placeOf.get(value));
      return `$${values.push(value)}`;
    },
  };
  const view = type.view({ parameters, connectionId: CONNECTION, base: "base", visibility, ...(reader ? { reader: READER } : {}) });
  return {
    view,
    parameters,
    isWhole: () => !places.includes(undefined),
    values: (call, ownValues) => {
      const { personId = null, hidden = null, own: kept = null } = call.reader ?? {};
      const by: Readonly<Record<string, PlainValue>> = {
        ...ownValues,
        connection: call.connection.id,
        base: call.base,
        reader: personId,
        hidden,
        own: kept,
      };
      return places.map((place) => (place === undefined ? null : (by[place] ?? null)));
    },
  };
}
