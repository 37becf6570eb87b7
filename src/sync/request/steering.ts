import { touchesAdministrators } from "../../access/last-administrator.ts";
import type { Context } from "../../context.ts";
import type { Sql } from "../../db/database.ts";
import { createGathering, type Gathering } from "./gathering.ts";

/** Somebody whom a request is about to take access from. */
export interface Leaver {
  ctx: Context;
  personId: string;
}

/** Whether each may steer the organisation (see touchesAdministrators): one look for all of a moment, and one each only where it says yes. */
export function steeringLooks(sql: Sql): Gathering<Leaver, boolean> {
  const touches = ({ ctx }: Leaver, personIds: readonly string[]) => touchesAdministrators({ ctx, sql }, { personIds });
  return createGathering({
    formOf: () => "",
    subjectOf: ({ personId }) => personId,
    async together(leavers) {
      const [first, another] = leavers;
      if (!first) return [];
      const touched = await touches(
        first,
        leavers.map(({ personId }) => personId),
      );
      if (!touched || !another) return leavers.map(() => touched);
      return Promise.all(leavers.map((leaver) => touches(leaver, [leaver.personId])));
    },
  });
}
