import { Readable } from "node:stream";
import { recordEvent } from "../../../audit/record.ts";
import { inTransaction } from "../../../db/database.ts";
import { exportPerson } from "../../../directory/export.ts";
import { readPerson } from "../../../directory/person-detail.ts";
import { route, type Route } from "../route.ts";
import { idParams } from "../schemas.ts";

export const exportRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/export",
    summary: "Everything that is known of a person, as one JSON document",
    description:
      "For the person themself, and whoever may export people: profile, photo, accounts, units, groups and grants over time, sessions and tokens, and the trail about and by the person, with what is sealed there opened. That it was handed out stands in the trail.",
    tag: "Personal data",
    access: { permission: "rollcall.people.export", on: { person: "id" } },
    params: idParams,
    sends: "application/json",
    async handler({ sql, ctx, options }, { params: { id } }) {
      await readPerson(sql, id);
      await inTransaction(options.db, ctx, (work) =>
        recordEvent(work, { name: "person.exported", subjectType: "person", subjectId: id, data: {} }),
      );
      const headers = { "Content-Disposition": `attachment; filename="person-${id}.json"`, "X-Content-Type-Options": "nosniff" };
      const stream = Readable.from(exportPerson(sql, { personId: id, keyRing: options.keyRing, at: ctx.now() }));
      return { special: "stream", type: "application/json", stream, headers };
    },
  }),
];
