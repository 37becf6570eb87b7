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
  "POST /notices/{id}/bounce": async (door, { personId }) => {
    await door.work((work) => tellPerson(work, { keyRing, personId, notice: "password.changed" }));
    const { rows } = await door.db.pool.query<{ id: string }>(
      "update notices set state = 'sent', content = null, ended_at = now(), language = 'en' where person_id = $1 and notice = 'password.changed' returning id",
      [personId],
    );
    return { params: { id: rows[0]?.id ?? "" }, body: { recipient: "sample@example.com", status: "5.1.1" } };
  },
};
