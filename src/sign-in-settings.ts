import { z } from "zod";

const minutes = (most: number) => z.coerce.number().int().min(1).max(most);

/** So many attempts within so many minutes; those that succeed are given back. */
const budget = (usual: { attempts: number; minutes: number }) =>
  z
    .strictObject({
      attempts: z.coerce.number().int().min(1).max(1_000_000).default(usual.attempts),
      minutes: minutes(60 * 24).default(usual.minutes),
    })
    .prefault({});

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
  factors: z
    .strictObject({
      /** What may be enrolled; what is enrolled already goes on to work. */
      allowed: z
        .array(z.enum(["totp", "sms", "email", "passkey"]))
        .min(1)
        .default(["totp", "sms", "email", "passkey"]),
      /** The name under which authenticator apps and passkeys file it. */
      issuer: z
        .string()
        .regex(/^[^:\p{Cc}]{1,60}$/u, "must be a name of at most 60 characters without a colon")
        .default("Rollcall"),
      /** For how long a code that was sent is good. */
      codeMinutes: minutes(60).default(5),
      /** Most codes sent to one person within an hour. */
      codesAnHour: z.coerce.number().int().min(1).max(100).default(10),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** From a device on which its owner has signed in before: a budget that nobody else can use up. */
      device: budget({ attempts: 10, minutes: 15 }),
      /** Of one account, from all other devices together. */
      account: budget({ attempts: 10, minutes: 15 }),
      /** Of one network (an IPv4 /24, an IPv6 /48), known devices left aside. */
      network: budget({ attempts: 100, minutes: 15 }),
      /** Of all there is, known devices left aside. */
      overall: budget({ attempts: 3000, minutes: 1 }),
    })
    .prefault({}),
});

export type SignInSettings = z.output<typeof signInSettings>;
