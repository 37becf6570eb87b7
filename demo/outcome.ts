import { describe, sameAccount, snapshotOf, type Account } from "./application.ts";
import { fullName, type Changes, type Proof } from "./acts.ts";
import type { Cast } from "./cast.ts";
import { deliveryTimes } from "./deliveries.ts";
import { elapsed, type Screen } from "./screen.ts";
import { count, TARGET } from "./sync.ts";
import type { World } from "./world.ts";

type Part = keyof Changes["at"];

/** What changed downstream, person by person, how long each took, and whether it is what should have happened. */
export async function showOutcome(
  world: World,
  { screen, cast, proof, changes }: { screen: Screen; cast: Cast; proof: Proof; changes: Changes },
): Promise<void> {
  const after = snapshotOf(world.downstream);
  const people = { leaver: cast.leaver, joiner: cast.joiner.person, mover: cast.mover.person, contractor: cast.contractor };
  const accounts = (part: Part) => ({ before: changes.before.get(people[part].uid), after: after.get(people[part].uid) });
  const happened: Record<Part, string> = { leaver: "deleted", joiner: "added", mover: "moved", contractor: "grant ended" };
  const parts = Object.keys(happened) as Part[];

  screen.heading("What changed in the application");
  for (const part of parts) {
    const { before, after: now } = accounts(part);
    screen.facts({ [`${fullName(people[part])}, ${happened[part]}`]: "" });
    screen.line(`    before  ${describe(before)}`);
    screen.line(`    after   ${describe(now)}`);
  }

  screen.heading("How long it took");
  const rows = await Promise.all(
    parts.map((part) =>
      timesOf(world, { name: `${fullName(people[part])}, ${happened[part]}`, userName: people[part].uid, changedAt: changes.at[part] }),
    ),
  );
  screen.table(["from the change", "seen", "decided", "delivered", "in all"], rows);
  screen.line();
  screen.line(screen.dim(`A change in ${world.directory.name} is seen when the next sync reads it: here, when the demo started one.`));

  screen.heading("As it should be");
  const leaver = accounts("leaver");
  const joiner = accounts("joiner");
  const mover = accounts("mover");
  const contractor = accounts("contractor");
  proof.expect(leaver.before?.active === true && leaver.after?.active === false, `${fullName(people.leaver)} can't sign in any more`);
  proof.expect(
    joiner.before === undefined && has(joiner.after, { role: "register-advanced-user", group: "Key Wardens" }),
    `${fullName(people.joiner)} has an account, a role by rule, and is in Key Wardens`,
  );
  proof.expect(
    mover.after?.department === cast.mover.move.department &&
      has(mover.after, { role: "register-advanced-user" }) &&
      !has(mover.before, { role: "register-advanced-user" }),
    `${fullName(people.mover)} has the new department, and the new team's role`,
  );
  proof.expect(
    contractor.before?.active === true && contractor.after?.active === false,
    `${fullName(people.contractor)}'s access ended with the grant`,
  );
  const concerned = new Set<string>(parts.map((part) => people[part].uid));
  const others = [...changes.before].filter(([uid]) => !concerned.has(uid));
  const touched = others.filter(([uid, account]) => !sameAccount(account, after.get(uid)));
  const strangers = [...after.keys()].filter((uid) => !concerned.has(uid) && !changes.before.has(uid));
  proof.expect(
    touched.length + strangers.length === 0,
    touched.length + strangers.length === 0
      ? `the other ${count(others.length)} accounts were left alone`
      : `accounts that nobody meant changed: ${[...touched.map(([uid]) => uid), ...strangers].slice(0, 5).join(", ")}`,
  );
}

function has(account: Account | undefined, { role, group }: { role: string; group?: string }): boolean {
  return account?.active === true && account.roles.includes(role) && (group === undefined || account.groups.includes(group));
}

/** What a change took, each time counted from the one before. */
async function timesOf(
  world: World,
  { name, userName, changedAt }: { name: string; userName: string; changedAt: Date },
): Promise<string[]> {
  const times = await deliveryTimes(world.db.pool, { target: TARGET, userName, since: changedAt });
  if (!times?.deliveredAt) return [name, "–", "–", "never", "–"];
  const since = (from: Date | null, to: Date | null) => (from && to ? elapsed(Math.max(0, to.getTime() - from.getTime())) : "–");
  const { seenAt, decidedAt, deliveredAt } = times;
  return [name, since(changedAt, seenAt), since(seenAt, decidedAt), since(decidedAt, deliveredAt), since(changedAt, deliveredAt)];
}
