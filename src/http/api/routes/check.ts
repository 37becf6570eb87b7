import { z } from "zod";
import { answerAll, foldedNames } from "../../../access/snapshot/answer.ts";
import { heldBy } from "../../../access/snapshot/held.ts";
import { route, type Route } from "../route.ts";
import { instant, line } from "../schemas.ts";

const MOST_QUESTIONS = 1000;

const question = z
  .strictObject({
    person: line(320).describe("Id or user name."),
    permission: line(200).describe("`module.resource.action`"),
    unit: line(200).describe("Id or code."),
  })
  .meta({ id: "CheckQuestion" });

const answer = z
  .union([
    z.object({
      allowed: z.literal(true),
      until: instant.nullable().describe("When it ends by itself, as things stand; null = never."),
    }),
    z.object({ allowed: z.literal(false) }),
    z.object({
      error: z
        .enum(["forbidden", "unknown_person", "unknown_unit"])
        .describe(
          "`forbidden`: the unit is outside of what the caller may ask about, or not there. `unknown_person` is told to who may see everybody (`rollcall.people.view` everywhere); all others are answered as for somebody who may nothing.",
        ),
    }),
  ])
  .meta({ id: "CheckAnswer" });

const checked = z
  .object({
    asOf: instant.describe("Everything committed before this instant is in the answers; never more than a second ago."),
    revision: z.string().describe("The state of the database that the answers show; the same text is the same state."),
    answers: z.array(answer).describe("In the order of the questions."),
  })
  .meta({ id: "Checked" });

const status = z
  .object({
    state: z.enum(["idle", "loading", "ready", "stale"]).describe("`idle`: nobody has asked this node yet. `stale`: it answers nothing."),
    asOf: instant.nullable(),
    revision: z.string().nullable(),
    ageMs: z.int().nullable().describe("Milliseconds since it last looked at the database."),
    people: z.int(),
    units: z.int(),
    groups: z.int(),
    roles: z.int().describe("With the permissions that they hold."),
    bytes: z.int().describe("Memory of people's facts."),
    readAnew: z.int().describe("How often everything was read."),
    changes: z.int().describe("How many changes were read alone."),
  })
  .meta({ id: "CheckStatus" });

export const checkRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/check",
    summary: "May these people do this there?",
    description: `Up to ${MOST_QUESTIONS} questions, answered from memory as of one instant at most a second ago; when that can't be warranted, none is answered (503, Retry-After). Who asks, and may, is known from there, too: a token that was revoked is refused within a second.`,
    tag: "Check",
    access: { permission: "rollcall.access.check", on: "anywhere" },
    body: z.strictObject({ questions: z.array(question).min(1).max(MOST_QUESTIONS) }),
    example: { questions: [{ person: "ada@example.com", permission: "register.contracts.view", unit: "NORTH" }] },
    answer: checked,
    fromMemory: true,
    // Nothing is changed, and most requests need no connection at all.
    ownTransactions: true,
    async handler(call, { body }) {
      const { questions } = body;
      const folded = await foldedNames(call.sql, questions);
      const at = call.ctx.now();
      const { view, held } = await call.inMemory("rollcall.access.check");
      const knowsPeople = held.everything && heldBy(view, { caller: call.caller, permission: "rollcall.people.view", at }).everything;
      const answers = answerAll(view, questions, { at, within: held.everything ? null : held.on, knowsPeople, folded });
      return { asOf: view.asOf, revision: view.revision, answers };
    },
  }),
  route({
    method: "get",
    path: "/check/status",
    summary: "What this node's checks are answered from",
    description:
      "For monitoring: whether this node answers checks, as of when, and how much it keeps in memory. Each node answers for itself. `stale` means that it has lost its feed of changes, and refuses checks (503) until it has caught up.",
    tag: "Check",
    access: { permission: "rollcall.access.check", on: "anywhere" },
    answer: status,
    handler: async (call) => call.options.accessSnapshot.status(),
  }),
];
