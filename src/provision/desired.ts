import type { Provision } from "../connections/definition.ts";

export type DesiredState = "absent" | "present" | "disabled" | "removed";
/** `attempted`: we were about to create it and don't know whether the application did. */
export type DeliveredState = "present" | "disabled" | "removed" | "attempted";
export type ProjectionState = "idle" | "waiting" | "retrying" | "held" | "dead";

/** What is known of one target account before deciding. */
export interface AccountFacts {
  nativeId: string | null;
  deliveredState: DeliveredState | null;
  removeAfter: Date | null;
}

export interface PersonStanding {
  active: boolean;
  state: string;
  inScope: boolean;
}

export interface Desire {
  state: DesiredState;
  removeAfter: Date | null;
}

const DAY_MS = 86_400_000;

/** Where one person's account should stand. Pure. */
export function desire(
  account: AccountFacts,
  { person, policy, now }: { person: PersonStanding; policy: Pick<Provision, "leave" | "graceDays">; now: Date },
): Desire {
  if (person.active && person.inScope && !["suspended", "deactivated", "deleted"].includes(person.state))
    return { state: "present", removeAfter: null };
  const perhapsThere = account.nativeId !== null || account.deliveredState === "attempted";
  if (!perhapsThere) return { state: account.deliveredState === "removed" ? "removed" : "absent", removeAfter: null };
  // A suspension passes; only who left, or fell out of scope, may be deleted there.
  if (policy.leave !== "delete" || person.state === "suspended") return { state: "disabled", removeAfter: null };
  const removeAfter = account.removeAfter ?? new Date(now.getTime() + policy.graceDays * DAY_MS);
  return { state: removeAfter <= now ? "removed" : "disabled", removeAfter };
}

export interface Standing extends AccountFacts {
  desiredState: DesiredState;
  desiredHash: string | null;
  deliveredHash: string | null;
  state: ProjectionState;
  lastError: string | null;
}

export interface Wanted {
  state: DesiredState;
  hash: string | null;
}

/** Whether the target must be spoken to at all. */
export function needsDelivery(
  { nativeId, deliveredState, deliveredHash }: Pick<Standing, "nativeId" | "deliveredState" | "deliveredHash">,
  wanted: Wanted,
): boolean {
  switch (wanted.state) {
    case "absent":
      return false;
    case "present":
      return nativeId === null || deliveredState !== "present" || deliveredHash !== wanted.hash;
    case "disabled":
      return deliveredState !== "disabled" && deliveredState !== "removed";
    case "removed":
      return deliveredState !== "removed";
  }
}

/** Whether it takes something away from somebody: guards look at these. */
export function takesAway({ deliveredState }: Pick<Standing, "deliveredState">, wanted: Wanted): boolean {
  if (wanted.state === "removed") return true;
  return wanted.state === "disabled" && deliveredState !== "disabled";
}

/** The projection's next state, and whether a delivery must be woken. What waits for a human goes on waiting while nothing changes. */
export function nextState(before: Standing, wanted: Wanted): { state: ProjectionState; wake: boolean } {
  if (!needsDelivery(before, wanted)) return { state: "idle", wake: false };
  const unchanged = before.desiredState === wanted.state && (wanted.state !== "present" || before.desiredHash === wanted.hash);
  if (unchanged && before.state !== "idle") return { state: before.state, wake: false };
  return takesAway(before, wanted) ? { state: "held", wake: false } : { state: "waiting", wake: true };
}
