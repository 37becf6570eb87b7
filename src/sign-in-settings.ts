import { z } from "zod";

const minutes = (most: number) => z.coerce.number().int().min(1).max(most);

/** How people sign in: a part each, with its defaults. Read as `config.signIn`. */
export const signInSettings = z.strictObject({
  session: z
    .strictObject({
      /** Ends after so long without a request. */
      idleMinutes: minutes(60 * 24 * 30).default(30),
      /** Ends after so long, however busy. */
      absoluteMinutes: minutes(60 * 24 * 90).default(12 * 60),
      /** Most sessions of one person at once. */
      most: z.coerce.number().int().min(1).max(100).default(5),
      /** What a sign-in beyond `most` does: end the oldest session, or be refused. */
      beyond: z.enum(["end-oldest", "refuse"]).default("end-oldest"),
      /** For how long after proving oneself sensitive actions may be taken. */
      stepUpMinutes: minutes(24 * 60).default(10),
    })
    .prefault({}),
});

export type SignInSettings = z.output<typeof signInSettings>;
