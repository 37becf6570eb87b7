import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { kindFor, overall, stepsOf, type StepFacts, type StepsKind, type TargetFact } from "../../src/provision/steps.ts";

const now = new Date("2027-01-01T00:00:00Z");
const instant = fc.date({ min: new Date("2026-01-01"), max: new Date("2028-01-01"), noInvalidDate: true });
const maybe = <T>(each: fc.Arbitrary<T>) => fc.option(each, { nil: null });
const hash = maybe(fc.constantFrom("aa", "bb"));

const target: fc.Arbitrary<TargetFact> = fc.record({
  projectionId: fc.nat(),
  target: fc.constantFrom("app", "shop"),
  group: maybe(fc.constant("Sales")),
  provisioned: fc.boolean(),
  nativeId: maybe(fc.constant("n1")),
  desiredState: fc.constantFrom("absent", "present", "disabled", "removed"),
  desiredHash: hash,
  deliveredState: maybe(fc.constantFrom("present", "disabled", "removed", "attempted")),
  deliveredHash: hash,
  state: fc.constantFrom("idle", "waiting", "retrying", "held", "dead"),
  dirty: fc.boolean(),
  attempts: fc.nat(30),
  lastError: maybe(fc.constant("no")),
  decidedAt: maybe(instant),
  deliveredAt: maybe(instant),
  removeAfter: maybe(instant),
  nextTry: maybe(instant),
  stopped: maybe(fc.constantFrom("disabled", "flagged")),
});

const facts: fc.Arbitrary<StepFacts> = fc.record({
  state: fc.constantFrom("invited", "active", "suspended", "deactivated", "deleted"),
  since: maybe(instant),
  why: maybe(fc.constant("left")),
  endsAt: maybe(instant),
  createdAt: instant,
  origin: maybe(fc.constant("ldap")),
  accounts: fc.constant([]),
  units: fc.constant([]),
  grants: fc.array(fc.record({ role: fc.constant("Seller"), unit: fc.constant("Shop"), from: instant, by: fc.constant("cli:x") }), {
    maxLength: 2,
  }),
  liveSessions: fc.nat(2),
  liveTokens: fc.nat(2),
  serviceTokens: fc.array(fc.record({ name: fc.constant("hr"), createdAt: fc.constant(now) }), { maxLength: 1 }),
  held: fc.array(fc.record({ plan: fc.nat(), connection: fc.constant("ldap"), action: fc.constant("disable"), at: instant }), {
    maxLength: 1,
  }),
  targets: fc.array(target, { maxLength: 4 }),
});
const kind = fc.constantFrom<StepsKind>("onboarding", "offboarding", "change");

/** Told naively: what the target confirmed is not what is wanted there, or something is still to be decided or sent. */
function isOutstanding(each: TargetFact): boolean {
  if (each.state !== "idle" || each.dirty) return true;
  if (!each.provisioned || each.desiredState === "absent") return false;
  if (each.desiredState === "present")
    return each.nativeId === null || each.deliveredState !== "present" || each.deliveredHash !== each.desiredHash;
  return each.deliveredState !== each.desiredState && each.deliveredState !== "removed";
}

test("W3: nothing is done while a delivery is outstanding, a plan is held, or a session or token outlives who left", () => {
  fc.assert(
    fc.property(facts, kind, (known, asked) => {
      const steps = stepsOf(known, { kind: asked, now });
      const open = known.targets.some(isOutstanding) || known.held.length > 0;
      if (open) expect(overall(steps)).not.toBe("done");
      if (asked === "offboarding" && known.state === "deactivated") {
        if (known.liveSessions + known.liveTokens + known.serviceTokens.length + known.grants.length > 0)
          expect(["waiting", "failed"]).toContain(overall(steps));
        if (known.targets.some((each) => each.provisioned && each.group === null && each.desiredState === "present"))
          expect(["waiting", "failed"]).toContain(overall(steps));
      }
      if (known.targets.some(({ state }) => state === "dead") && (asked !== "offboarding" || known.state === "deactivated"))
        expect(overall(steps)).toBe("failed");
    }),
    { numRuns: 2000 },
  );
});

test("W3: who is through is done; nothing in between is lost: each target has its step, and only open ones in a change", () => {
  fc.assert(
    fc.property(facts, (known) => {
      const begun = stepsOf(known, { kind: "onboarding", now });
      const ofTargets = begun.filter(({ what }) => what.startsWith("target"));
      expect(ofTargets).toHaveLength(known.targets.length);
      expect(ofTargets.filter(({ state }) => state === "failed")).toHaveLength(
        known.targets.filter(({ state }) => state === "dead").length,
      );
      expect(stepsOf(known, { kind: "change", now }).every(({ state }) => state === "waiting" || state === "failed")).toBe(true);
      const settled = {
        ...known,
        held: [],
        targets: known.targets.filter((each) => !isOutstanding(each)),
        grants: [],
        state: "active" as const,
      };
      expect(overall(stepsOf(settled, { kind: "onboarding", now }))).toBe("done");
    }),
  );
  expect([kindFor("invited"), kindFor("deactivated")]).toEqual(["onboarding", "offboarding"]);
});

test("W3: what is not sent because its connection is disabled or flagged says so, and names no next try", () => {
  fc.assert(
    fc.property(target, facts, (one, known) => {
      const [step] = stepsOf({ ...known, held: [], grants: [], targets: [one] }, { kind: "change", now });
      const isToBeSent = isOutstanding(one) && one.state !== "dead" && one.state !== "held";
      const stopped = one.stopped !== null && isToBeSent;
      expect(
        /^(Try \d+ failed\. )?The connection is (disabled|flagged): it waits until somebody (enables|resumes) it\.$/.test(
          step?.detail ?? "",
        ),
      ).toBe(stopped);
      if (stopped) expect(step).toMatchObject({ state: "waiting", nextTry: null, detail: expect.stringContaining(one.stopped ?? "") });
      else if (step) expect(step.nextTry).toBe(one.nextTry);
    }),
  );
});
