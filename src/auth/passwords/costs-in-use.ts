import { createHash } from "node:crypto";
import type { Sql } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { typedNameHash } from "../risk/typed-names.ts";
import type { PasswordSettings } from "./hash.ts";

type Costs = PasswordSettings["argon2"];

/** How many passwords are kept with what costs, those of today last. */
export type CostsCounted = readonly { costs: Costs; count: number }[];

/** What it costs to compare a password with nobody's. */
export interface CostsInUse {
  /** The same for a name each time, and over many names as often as people have them. */
  ofNobody(name: string): Promise<Costs>;
}

const COUNT = `select split_part(hash, '$', 4) as costs, count(*)::int as count from passwords group by 1 order by 1`;
const FORM = /^m=(\d+),t=(\d+),p=(\d+)$/;
const COUNTED_EVERY_MS = 10 * 60_000;
const FRACTIONS = 2 ** 48;

/** The costs that a share of the way through all passwords stands for, from 0 to below 1. Pure. */
export function costsAt(counted: CostsCounted, { share, usual }: { share: number; usual: Costs }): Costs {
  const total = counted.reduce((sum, { count }) => sum + count, 0);
  let passed = 0;
  for (const { costs, count } of counted) {
    passed += count;
    if (share * total < passed) return costs;
  }
  return usual;
}

/**
 * Hashes keep the costs of their day until their owners sign in. If nobody's cost what today's do, names that are somebody's could be told
 * by time after each change of the settings: so a name of nobody is given costs by a keyed hash of it, out of those that are in use.
 */
export function createCostsInUse({ sql, keyRing, usual, now }: { sql: Sql; keyRing: KeyRing; usual: Costs; now: () => Date }): CostsInUse {
  let known: { at: number; counted: Promise<CostsCounted> } | undefined;
  return {
    async ofNobody(name) {
      const at = now().getTime();
      if (known === undefined || at - known.at >= COUNTED_EVERY_MS) {
        const counted = countCosts(sql, usual);
        known = { at, counted };
        counted.catch(() => (known = undefined));
      }
      return costsAt(await known.counted, { share: shareOf(typedNameHash(keyRing, name)), usual });
    },
  };
}

function shareOf(hash: string): number {
  return createHash("sha256").update(`costs ${hash}`).digest().readUIntBE(0, 6) / FRACTIONS;
}

async function countCosts(sql: Sql, usual: Costs): Promise<CostsCounted> {
  const { rows } = await sql.query<{ costs: string; count: number }>(COUNT);
  const counted = rows.flatMap(({ costs, count }) => {
    const [, memoryKiB, passes, lanes] = (FORM.exec(costs) ?? []).map(Number);
    return memoryKiB && passes && lanes ? [{ costs: { memoryKiB, passes, lanes }, count }] : [];
  });
  const isUsual = ({ costs }: { costs: Costs }) =>
    costs.memoryKiB === usual.memoryKiB && costs.passes === usual.passes && costs.lanes === usual.lanes;
  // As hashes are made anew, a name goes over to today's costs once and stays there, as people do.
  return [...counted.filter((each) => !isUsual(each)), ...counted.filter(isUsual)];
}
