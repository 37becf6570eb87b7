import { tellPerson } from "../../../../src/directory/notices.ts";
import { keyRing } from "../../scim/door.ts";
import type { Samples } from "./sample.ts";

export const noticeSamples: Samples = {
  "POST /notices/{id}/resend": async (door, { personId }) => {
    const link = "https://rollcall.example.com/login/link#sample";
    const until = new Date(door.clock.now().getTime() + 3_600_000);
    await door.work((work) => tellPerson(work, { keyRing, personId, notice: "invitation", data: { link, until } }));
    const { rows } = await door.db.pool.query<{ id: string }>(
      "update notices set state = 'failed', problem = 'sample' where person_id = $1 and state = 'queued' returning id",
      [personId],
    );
    return { params: { id: rows[0]?.id ?? "" }, body: { reason: "sample" } };
  },
};
