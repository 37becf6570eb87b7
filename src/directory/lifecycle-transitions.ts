import type { BlockEffect, BlockOwner } from "./blocks.ts";

export type LifecycleState = "invited" | "active" | "suspended" | "deactivated" | "deleted";

/** What people decide about others; origins, dates and incidents have blocks of their own. */
export type LifecycleAction = "suspend" | "activate" | "deactivate" | "expire";

/** Blocks that stand, as far as deciding needs them. */
export interface StandingBlock {
  owner: BlockOwner;
  effect: BlockEffect;
}

export interface TransitionQuestion {
  action: LifecycleAction;
  state: LifecycleState;
  blocks: readonly StandingBlock[];
  /** Whether somebody decides about themselves. */
  oneself: boolean;
}

/** What to do with blocks; `expire` sets an end instead, which the caller carries out. */
export type TransitionStep =
  { op: "raise"; owner: "admin"; effect: BlockEffect } | { op: "lift"; owner: BlockOwner } | { op: "set-end" } | { op: "clear-end" };

export type Transition =
  | { allowed: true; steps: readonly TransitionStep[]; leads: Exclude<LifecycleState, "deleted"> | "unblocked" }
  | { allowed: false; code: "conflict" | "forbidden"; why: string };

/** Whose blocks an administrator lifts. The others end where they were raised: at the origin, by its dates, with the incident. */
export const LIFTED_BY_HAND: readonly BlockOwner[] = ["admin", "expiry", "offboarding"];

/** What each action may begin from; everything else is refused. */
const FROM: Readonly<Record<LifecycleAction, readonly LifecycleState[]>> = {
  suspend: ["invited", "active", "suspended"],
  activate: ["suspended", "deactivated"],
  deactivate: ["invited", "active", "suspended", "deactivated"],
  expire: ["invited", "active", "suspended"],
};

/** The lifecycle as a state machine (P5): which action leads where, from which state, by whom. Pure; deny by default. */
export function transition({ action, state, blocks, oneself }: TransitionQuestion): Transition {
  if (state === "deleted") return refused("conflict", "The person is deleted; nothing leads back from there.");
  if (oneself) return refused("forbidden", `Nobody can ${action} themselves: ask somebody else.`);
  if (!FROM[action].includes(state))
    return refused("conflict", WHY_NOT[action][state] ?? `Somebody who is ${state} can't be told to ${action}.`);
  if (action === "activate") return activation(blocks);
  if (action === "expire") return { allowed: true, steps: [{ op: "set-end" }], leads: state };
  const effect: BlockEffect = action === "suspend" ? "suspended" : "deactivated";
  const own = blocks.find(({ owner }) => owner === "admin");
  if (own?.effect === effect) return refused("conflict", `The person was ${effect} by hand already.`);
  return { allowed: true, steps: [{ op: "raise", owner: "admin", effect }], leads: state === "deactivated" ? "deactivated" : effect };
}

function activation(blocks: readonly StandingBlock[]): Transition {
  const lifted = LIFTED_BY_HAND.filter((owner) => blocks.some((block) => block.owner === owner));
  const others = blocks.filter(({ owner }) => !LIFTED_BY_HAND.includes(owner));
  if (lifted.length === 0 && others.length > 0)
    return refused("conflict", "What keeps the person out was not decided here; it ends where it was decided.");
  return {
    allowed: true,
    steps: [
      ...lifted.map((owner) => ({ op: "lift" as const, owner })),
      ...(lifted.includes("expiry") ? [{ op: "clear-end" as const }] : []),
    ],
    leads: others.some(({ effect }) => effect === "deactivated") ? "deactivated" : others.length > 0 ? "suspended" : "unblocked",
  };
}

const WHY_NOT: Readonly<Record<LifecycleAction, Partial<Record<LifecycleState, string>>>> = {
  suspend: { deactivated: "The person is deactivated, which is more than suspended: activate them first." },
  activate: { active: "The person is active already.", invited: "The person is invited: they are active once they have answered." },
  deactivate: {},
  expire: { deactivated: "The person is deactivated already: activate them first." },
};

function refused(code: "conflict" | "forbidden", why: string): Transition {
  return { allowed: false, code, why };
}
