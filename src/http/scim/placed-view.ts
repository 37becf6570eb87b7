import type { PlainValue } from "../../db/shared-reads.ts";
import type { Call } from "./call.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Parameters, View } from "./view.ts";

/** Stands for any connection while a statement is made. */
const CONNECTION = 0;
const READER = { personId: "reader", hidden: "hidden", own: "own" } as const;

/** Says a value of a statement for one client. */
type Value<Place extends string> = (call: Call, own: Readonly<Record<Place, PlainValue>>) => PlainValue;

const OF_CALLS: readonly (readonly [unknown, (call: Call) => PlainValue])[] = [
  [CONNECTION, ({ connection }) => connection.id],
  ["base", ({ base }) => base],
  [READER.personId, ({ reader }) => reader?.personId ?? null],
  [READER.hidden, ({ reader }) => reader?.hidden ?? null],
  [READER.own, ({ reader }) => reader?.own ?? null],
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
  const valueOf = new Map<unknown, Value<Place>>([
    ...OF_CALLS,
    ...own.map(([standIn, place]): [unknown, Value<Place>] => [standIn, (_call, given) => given[place]]),
  ]);
  const found: (Value<Place> | undefined)[] = [];
  const values: unknown[] = [];
  const parameters: Parameters = {
    values,
    add(value) {
      found.push(valueOf.get(value));
      return `$${values.push(value)}`;
    },
  };
  const view = type.view({ parameters, connectionId: CONNECTION, base: "base", visibility, ...(reader ? { reader: READER } : {}) });
  return {
    view,
    parameters,
    isWhole: () => !found.includes(undefined),
    values: (call, given) => found.map((value) => value?.(call, given) ?? null),
  };
}
