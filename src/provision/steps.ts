import { needsDelivery, type DeliveredState, type DesiredState, type ProjectionState } from "./desired.ts";

export type StepsKind = "onboarding" | "offboarding" | "change";
export type StepState = "done" | "waiting" | "failed" | "skipped";

/** One thing that has to happen for somebody to begin, to leave, or to change. */
export interface Step {
  what:
    | "arrival"
    | "leaving"
    | "plan"
    | "source-account"
    | "unit"
    | "grant"
    | "sessions"
    | "tokens"
    | "service-token"
    | "target-account"
    | "target-group";
  /** The connection, role or group that it is about, or the name of a token. */
  target: string | null;
  state: StepState;
  /** When it was done, or when it was decided while it is not. */
  at: Date | null;
  /** Who or what did it, or has to. */
  by: string | null;
  detail: string;
  /** What the target answered last. */
  error: string | null;
  nextTry: Date | null;
}

/** One account or group at a target, as wanted and as delivered. */
export interface TargetFact {
  projectionId: number;
  target: string;
  /** Null for the person's own account. */
  group: string | null;
  /** A target that we provision; otherwise a source that is written back to, which has no account of its own to compare. */
  provisioned: boolean;
  nativeId: string | null;
  desiredState: DesiredState;
  desiredHash: string | null;
  deliveredState: DeliveredState | null;
  deliveredHash: string | null;
  state: ProjectionState;
  dirty: boolean;
  attempts: number;
  lastError: string | null;
  decidedAt: Date | null;
  deliveredAt: Date | null;
  removeAfter: Date | null;
  nextTry: Date | null;
  /** Why nothing is sent to the target at all; null when it is. */
  stopped: "disabled" | "flagged" | null;
}

/** What is known of one person, from which the steps follow. */
export interface StepFacts {
  /** Lifecycle state, and since when and why. */
  state: "invited" | "active" | "suspended" | "deactivated" | "deleted";
  since: Date | null;
  why: string | null;
  /** When access ends by itself, if it is known. */
  endsAt: Date | null;
  createdAt: Date;
  /** Why the latest invitation did not come, in the provider's own words; null when it did, or none was sent. */
  invitationProblem?: string | null;
  origin: string | null;
  accounts: readonly { connection: string; linkedBy: string | null; linkedAt: Date | null; goneAt: Date | null }[];
  units: readonly { name: string; since: Date }[];
  /** Made to the person itself, not over yet. */
  grants: readonly { role: string; unit: string; from: Date; by: string }[];
  liveSessions: number;
  liveTokens: number;
  /** Of services that the person answers for, with no other in their place yet. */
  serviceTokens: readonly { name: string; createdAt: Date }[];
  /** Items of plans that a guard holds. */
  held: readonly { plan: number; connection: string; action: string; at: Date }[];
  targets: readonly TargetFact[];
}

/** The kind that fits somebody's state when none is asked for. */
export function kindFor(state: StepFacts["state"]): StepsKind {
  return state === "active" || state === "invited" ? "onboarding" : "offboarding";
}

/** The steps of one kind, in the order in which they happen. Pure: what is stored is what they are derived from. */
export function stepsOf(facts: StepFacts, { kind, now }: { kind: StepsKind; now: Date }): Step[] {
  const plans = facts.held.map((item): Step => ({
    ...BARE,
    what: "plan",
    target: item.connection,
    state: "waiting",
    at: item.at,
    by: "a person who may approve plans",
    detail: `Plan ${item.plan} (${item.action}) is held by a guard until somebody approves or rejects it.`,
  }));
  const targets = facts.targets.map((fact) => targetStep(fact, { kind, gone: isOut(facts), now }));
  const grants = facts.grants.map((grant) => grantStep(grant, now));
  if (kind === "change")
    return [...plans, ...grants.filter(({ state }) => state === "waiting"), ...targets.filter(({ state }) => isOpen(state))];
  if (kind === "onboarding") return [arrival(facts), ...plans, ...sourceAccounts(facts), ...units(facts), ...grants, ...targets];
  if (!isOut(facts) && facts.endsAt === null) return plans;
  return [leaving(facts), ...plans, ...ending(facts), ...targets];
}

/** One word for all of them: it is done only when nothing is outstanding. */
export function overall(steps: readonly Step[]): "none" | "done" | "waiting" | "failed" {
  if (steps.length === 0) return "none";
  if (steps.some(({ state }) => state === "failed")) return "failed";
  return steps.some(({ state }) => state === "waiting") ? "waiting" : "done";
}

/** Where a delivery stands, whatever it is for; undefined when nothing is outstanding. */
export function outstanding(fact: TargetFact): (Pick<Step, "detail" | "nextTry"> & { state: "waiting" | "failed" }) | undefined {
  const found = stageOf(fact);
  if (!found) return undefined;
  const waits = fact.stopped === null || fact.state === "held" ? undefined : UNTIL[fact.stopped];
  if (found.state === "failed" || waits === undefined) return { ...found, nextTry: fact.nextTry };
  const tried = fact.state === "retrying" ? `Try ${fact.attempts} failed. ` : "";
  return { state: "waiting", detail: `${tried}${waits}`, nextTry: null };
}

/** Whatever is woken meanwhile leaves again without trying. */
const UNTIL: Readonly<Record<NonNullable<TargetFact["stopped"]>, string>> = {
  disabled: "The connection is disabled: it waits until somebody enables it.",
  flagged: "The connection is flagged: it waits until somebody resumes it.",
};

/** Of somebody who is out, and whose account is not. */
export const STILL_THERE = {
  not: "It is still there.",
  disabled: `It is still there. ${UNTIL.disabled}`,
  flagged: `It is still there. ${UNTIL.flagged}`,
} as const;

function stageOf(fact: TargetFact): { state: "waiting" | "failed"; detail: string } | undefined {
  if (fact.state === "dead")
    return {
      state: "failed",
      detail: `Given up after ${fact.attempts} tries: delivery ${fact.projectionId} waits for somebody to try it again${fact.desiredState === "present" ? "" : ", or for an application that was away to come back"}.`,
    };
  if (fact.state === "held") return { state: "waiting", detail: `A guard holds delivery ${fact.projectionId} until somebody lets it go.` };
  if (fact.state === "retrying") return { state: "waiting", detail: `Try ${fact.attempts} failed; it is tried again.` };
  const wanted = { state: fact.desiredState, hash: fact.desiredHash };
  if (fact.state === "waiting" || fact.dirty || (fact.provisioned && needsDelivery(fact, wanted)))
    return { state: "waiting", detail: "It is on its way." };
  return undefined;
}

const BARE = { target: null, at: null, by: null, error: null, nextTry: null };
const isOpen = (state: StepState) => state === "waiting" || state === "failed";
const isOut = ({ state }: Pick<StepFacts, "state">) => state !== "active" && state !== "invited";

function targetStep(fact: TargetFact, { kind, gone, now }: { kind: StepsKind; gone: boolean; now: Date }): Step {
  const base = {
    ...BARE,
    what: fact.group === null ? ("target-account" as const) : ("target-group" as const),
    target: fact.group === null ? fact.target : `${fact.target}: ${fact.group}`,
    by: `connection:${fact.target}`,
  };
  const open = outstanding(fact);
  if (open) return { ...base, ...open, at: fact.decidedAt, error: fact.lastError };
  const settled = { ...base, at: fact.deliveredAt };
  const there = fact.desiredState === "present";
  if (fact.desiredState === "absent") return { ...settled, state: "skipped", detail: "Nothing is wanted there." };
  if (kind === "offboarding" && fact.group === null) {
    if (there && fact.provisioned)
      return { ...settled, state: "waiting", detail: gone ? STILL_THERE[fact.stopped ?? "not"] : "It follows when access ends." };
    const later = fact.desiredState === "disabled" && fact.removeAfter !== null && fact.removeAfter > now ? fact.removeAfter : null;
    return {
      ...settled,
      state: "done",
      detail: later === null ? `It is ${fact.desiredState}.` : "It is disabled, and removed later.",
      nextTry: later,
    };
  }
  if (kind === "onboarding" && !there) return { ...settled, state: "skipped", detail: "It is not wanted there any more." };
  return { ...settled, state: "done", detail: there ? "It stands there as it should." : `It is ${fact.desiredState}.` };
}

function arrival({ state, createdAt, invitationProblem = null, origin, since, why }: StepFacts): Step {
  const base = { ...BARE, what: "arrival" as const, target: origin, at: createdAt, by: origin === null ? "local" : `connection:${origin}` };
  if (state === "active") return { ...base, state: "done", detail: "The person is here and active." };
  if (state === "invited" && invitationProblem !== null)
    return {
      ...base,
      state: "failed",
      detail: "The invitation could not be sent: send it again, or hand the link over.",
      error: invitationProblem,
    };
  if (state === "invited") return { ...base, state: "waiting", detail: "The person has not answered the invitation yet." };
  return { ...base, at: since, state: "skipped", detail: `The person is ${state}: ${why ?? "no reason is known"}.` };
}

function leaving(facts: StepFacts): Step {
  const { since, state, why, endsAt } = facts;
  const base = { ...BARE, what: "leaving" as const };
  if (isOut(facts)) return { ...base, state: "done", at: since, detail: `The person is ${state}: ${why ?? "no reason is known"}.` };
  return { ...base, state: "waiting", by: "system", detail: "Access ends by itself.", nextTry: endsAt };
}

function sourceAccounts({ accounts }: StepFacts): Step[] {
  return accounts.map(({ connection, linkedAt, linkedBy, goneAt }) => ({
    ...BARE,
    what: "source-account",
    target: connection,
    state: goneAt === null ? "done" : "skipped",
    at: goneAt ?? linkedAt,
    by: linkedBy,
    detail: goneAt === null ? "The account is the person's." : "The account is gone at the source.",
  }));
}

function units(facts: StepFacts): Step[] {
  if (facts.units.length === 0) return [{ ...BARE, what: "unit", state: "skipped", detail: "The person belongs to no unit." }];
  return facts.units.map(({ name, since }) => ({
    ...BARE,
    what: "unit",
    target: name,
    state: "done",
    at: since,
    detail: "The person belongs to it.",
  }));
}

function grantStep({ role, unit, from, by }: StepFacts["grants"][number], now: Date): Step {
  const base = { ...BARE, what: "grant" as const, target: `${role} on ${unit}`, by };
  if (from <= now) return { ...base, state: "done", at: from, detail: "The role is held." };
  return { ...base, state: "waiting", detail: "It begins at its time.", nextTry: from };
}

/** What a person must not keep; a suspension leaves grants, which give nothing meanwhile. */
function ending(facts: StepFacts): Step[] {
  const planned = !isOut(facts);
  const one = (what: "sessions" | "tokens", count: number): Step => ({
    ...BARE,
    what,
    state: count === 0 ? "done" : "waiting",
    at: count === 0 && !planned ? facts.since : null,
    by: "system",
    detail: count === 0 ? "None is left." : planned ? `${count} end with the access.` : `${count} still live.`,
  });
  const grants = facts.grants.map((grant): Step => ({
    ...grantStep(grant, grant.from),
    state: facts.state === "suspended" ? "skipped" : "waiting",
    detail: facts.state === "suspended" ? "It gives nothing while the person is suspended." : "It is taken back.",
  }));
  const services = facts.serviceTokens.map(({ name, createdAt }): Step => ({
    ...BARE,
    what: "service-token",
    target: name,
    state: "waiting",
    at: createdAt,
    by: "a person who may make tokens of services",
    detail: `${planned ? "It opens nothing once the person has no access" : "It opens nothing, because the person has no access"}: rotate it to take it over, or revoke it.`,
  }));
  return [one("sessions", facts.liveSessions), one("tokens", facts.liveTokens), ...services, ...grants];
}
