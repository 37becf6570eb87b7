import { inTransaction } from "../../../../src/db/database.ts";
import { startSession } from "../../../../src/auth/sessions/start.ts";
import { signInSettings } from "../../../../src/sign-in-settings.ts";
import { testContext } from "../../../helpers/database.ts";
import type { Samples } from "./sample.ts";

export const sessionSamples: Samples = {
  "POST /sessions/{id}/end": async (door, { personId }) => {
    const settings = signInSettings.parse({}).session;
    const { id } = await inTransaction(door.db, testContext({ now: door.clock.now }), (work) =>
      startSession(work, { personId, methods: ["password"], settings: { ...settings, most: 100 } }),
    );
    return { params: { id }, body: { reason: "sample" } };
  },
};
