import { z } from "zod";
import { requireHoldsAll } from "../../../access/taking-over.ts";
import { addressStanding } from "../../../auth/addresses/address-standing.ts";
import { handOutLink } from "../../../auth/links/hand-out.ts";
import { linksOf, revokeLink, type LinkPurpose } from "../../../auth/links/links.ts";
import { setTemporaryPassword } from "../../../auth/passwords/set.ts";
import { passwordStanding } from "../../../auth/passwords/verify.ts";
import { inTransaction } from "../../../db/database.ts";
import { route, type ApiCall, type Route } from "../route.ts";
import { idParams, instant, reason } from "../schemas.ts";

const TAG = "Passwords and invitations";
const reset = { permission: "rollcall.credentials.reset", on: { person: "id" } } as const;

const addressSchema = z
  .object({
    state: z
      .enum(["none", "good", "waiting", "denied"])
      .describe("Whether a link may be sent to the e-mail address. `waiting`: it is new. `denied`: the person said that it is not theirs."),
    until: instant.nullable().describe("Of one that is waited for: when links go there."),
    undeliverable: z
      .object({ since: instant, lastAt: instant, count: z.int(), problem: z.string().describe("In the mail server's own words.") })
      .nullable()
      .describe("The mail server refused it for good. What comes back later (bounces) is not read."),
  })
  .meta({ id: "AddressStanding" });

const standingSchema = z
  .object({
    address: addressSchema,
    setAt: instant.nullable().describe("Null: has no password here."),
    temporaryUntil: instant.nullable().describe("Of a temporary one: until when it lets in to choose another."),
    links: z.array(
      z.object({
        purpose: z.enum(["invitation", "reset"]),
        state: z.enum(["open", "used", "revoked", "over"]),
        delivery: z.enum(["sent", "shown"]),
        createdAt: instant,
        createdBy: z.string(),
        expiresAt: instant,
      }),
    ),
  })
  .meta({ id: "PasswordStanding" });

const delivery = z
  .enum(["send", "show"])
  .default("send")
  .describe("`send`: to the person's e-mail address, in their language. `show`: here, once, to be handed over.");
const handedOut = z.object({
  until: instant.describe("When it stops working, used or not."),
  link: z.string().nullable().describe("Works once; shown here and nowhere else. Null when it was sent."),
});

/** What lets somebody in is given out, sent or taken back only by who holds all that they hold: addresses can be changed, too. */
async function handOut(call: ApiCall, { personId, purpose, ...given }: Asked): Promise<z.input<typeof handedOut>> {
  const { caller, options } = call;
  await requireHoldsAll(call, { caller, personId });
  const { keyRing, signIn: settings, baseUrl } = options;
  return handOutLink(call, { personId, purpose, ...given, keyRing, settings, baseUrl });
}

interface Asked {
  personId: string;
  purpose: LinkPurpose;
  delivery: "send" | "show";
}

const SUMMARIES: Readonly<Record<LinkPurpose, { path: string; make: string; description: string; revoke: string }>> = {
  invitation: {
    path: "/people/{id}/invitation",
    make: "Invite somebody, or invite them again",
    description: "Only for who is `invited` and has not answered. An earlier link works no more.",
    revoke: "Take an invitation back",
  },
  reset: {
    path: "/people/{id}/password-reset",
    make: "Make a link by which somebody chooses another password",
    description: "Only for active people. An earlier link works no more; the present password goes on to work until it is replaced.",
    revoke: "Take the link back",
  },
};

function linkRoutes(purpose: LinkPurpose): Route[] {
  const { path, make, description, revoke } = SUMMARIES[purpose];
  return [
    route({
      method: "post",
      path,
      sensitive: true,
      summary: make,
      description: `${description} Needs every right that the person holds.`,
      tag: TAG,
      access: reset,
      params: idParams,
      body: z.strictObject({ delivery }),
      example: { delivery: "send" },
      status: 201,
      answer: handedOut,
      idempotent: true,
      handler: (call, { params, body }) => handOut(call, { personId: params.id, purpose, ...body }),
    }),
    route({
      method: "delete",
      path,
      sensitive: true,
      summary: revoke,
      description: "The link that was sent opens nothing from now on. 404 when none is open. Needs every right that the person holds.",
      tag: TAG,
      access: reset,
      params: idParams,
      body: z.strictObject({ reason }),
      example: { reason: "Sent to the wrong address" },
      status: 204,
      async handler(call, { params, body }) {
        await requireHoldsAll(call, { caller: call.caller, personId: params.id });
        await revokeLink(call, { personId: params.id, purpose, reason: body.reason });
        return undefined;
      },
    }),
  ];
}

export const passwordRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/people/{id}/password",
    summary: "Whether somebody has a password, which links were made for them, and whether their e-mail address takes any",
    description:
      "For whoever helps somebody who can't sign in: when the password was set, whether it has to be changed, which invitations and resets wait, until when, and whether mail came back from their address. Never a password, and never a link.",
    tag: TAG,
    access: { permission: "rollcall.credentials.view", on: { person: "id" } },
    params: idParams,
    answer: standingSchema,
    async handler({ sql, ctx, options: { keyRing, signIn } }, { params: { id } }) {
      const now = ctx.now();
      return {
        ...(await passwordStanding(sql, id)),
        links: await linksOf(sql, { personId: id, now }),
        address: await addressStanding(sql, { personId: id, keyRing, now, settings: signIn.addresses }),
      };
    },
  }),
  ...linkRoutes("invitation"),
  ...linkRoutes("reset"),
  route({
    method: "post",
    path: "/people/{id}/temporary-password",
    sensitive: true,
    summary: "Give somebody a password that must be changed at once",
    description:
      "It is made here and shown once. It lets in only to choose another, for as long as the settings say; sessions and the person's own API tokens end. Needs every right that the person holds.",
    tag: TAG,
    access: reset,
    params: idParams,
    body: z.strictObject({ reason }),
    example: { reason: "No mail on the shop floor" },
    status: 201,
    answer: z.object({ password: z.string().describe("Shown here and nowhere else."), until: instant }),
    idempotent: true,
    ownTransactions: true,
    async handler({ caller, ctx, options: { db, keyRing, signIn, turns } }, { params: { id }, body }) {
      // A turn first: nobody waits for one with a connection to the database in their hands.
      return turns.take(() =>
        inTransaction(db, ctx, async (work) => {
          await requireHoldsAll(work, { caller, personId: id });
          return setTemporaryPassword(work, { personId: id, keyRing, settings: signIn.password, reason: body.reason });
        }),
      );
    },
  }),
];
