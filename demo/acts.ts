import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { giveGrant } from "../src/access/grants.ts";
import { loadRulesFile } from "../src/access/rules.ts";
import { addConnection } from "../src/connections/store.ts";
import { inTransaction } from "../src/db/database.ts";
import { projectFolder } from "../src/db/folder.ts";
import { expectedAccounts, type Cast } from "./cast.ts";
import type { CompanyPerson } from "./company.ts";
import { accountOf, snapshotOf, type Snapshot } from "./application.ts";
import { elapsed, type Screen } from "./screen.ts";
import { count, deliverWithBar, showPlan, syncWithBars } from "./sync.ts";
import type { World } from "./world.ts";

/** Seconds for which the contractor holds a role. */
const GRANT_SECONDS = 12;
const PATIENCE_MS = 30_000;

/** Collects what the demo expects and whether it came so. */
export interface Proof {
  expect(ok: boolean, text: string): void;
  failed(): number;
}

export async function connect(world: World, screen: Screen): Promise<void> {
  screen.heading("Connections and rules");
  for (const file of [world.directory.definitionFile, world.targetFile]) await addFromFile(world, { file });
  const rules = await inTransaction(world.db, world.ctx, (work) =>
    loadRulesFile(work, readFileSync(path.join(projectFolder(), "demo/rules.yaml"), "utf8")),
  );
  screen.facts({
    [relative(world.directory.definitionFile)]: "where people come from, and what becomes of their attributes:",
  });
  for (const line of mappingLines(world.directory.definitionFile)) screen.line(screen.dim(`    ${line}`));
  screen.facts({
    [relative(world.targetFile)]: "who has an account in the application",
    "demo/rules.yaml": `${rules.created} rules: group or condition → role on a unit`,
  });
}

/** Adds a connection, or replaces it; `schedule` makes the server read it by itself. */
export async function addFromFile(
  { db, ctx, keyRing }: World,
  { file, schedule, replace = false }: { file: string; schedule?: string; replace?: boolean },
): Promise<void> {
  const definition = { ...(parse(readFileSync(file, "utf8")) as object), schedule };
  await inTransaction(db, ctx, (work) => addConnection(work, { definition, keyRing, replace, sources: { folder: path.dirname(file) } }));
}

/** The lines of the definition that say what a person is made of. */
function mappingLines(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const from = lines.findIndex((line) => line.trim() === "user:") + 2;
  const to = lines.findIndex((line) => line.trim() === "group:");
  return lines
    .slice(from, to)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

export async function firstSync(world: World, { screen, proof }: { screen: Screen; proof: Proof }): Promise<void> {
  screen.heading("First sync");
  const summary = await syncWithBars(world, { screen, mode: "full" });
  showPlan(screen, summary);
  screen.line();
  const state = await deliverWithBar(world, screen);
  const accounts = expectedAccounts(world.company);
  const active = world.downstream.users().filter((user) => user["active"] !== false).length;
  screen.line();
  proof.expect(summary.state === "done" && summary.applied.failed === 0, `${count(summary.applied.applied)} items applied, none refused`);
  proof.expect(
    active === accounts && state.stuck === 0,
    `${count(active)} accounts in the application: every employee, and contractors who hold a role`,
  );
}

/** A role for a few seconds: the account comes, and what becomes of it is seen later. */
export async function lendRole(world: World, { screen, proof, cast }: { screen: Screen; proof: Proof; cast: Cast }): Promise<Date> {
  const { contractor } = cast;
  screen.heading("A contractor gets a role for a few seconds");
  const until = new Date(world.ctx.now().getTime() + GRANT_SECONDS * 1000);
  const { rows } = await world.db.pool.query<{ id: string }>("select id from people where user_name = $1", [contractor.uid]);
  const personId = rows[0]?.id;
  if (personId === undefined) throw new Error(`${contractor.uid} did not arrive.`);
  const given = performance.now();
  await inTransaction(world.db, world.ctx, (work) =>
    giveGrant(work, { personId, role: "register-user", unit: contractor.unit.code, until, reason: "Lock replacement" }),
  );
  screen.line(`${fullName(contractor)}: register-user on ${contractor.unit.code}, until ${until.toISOString().slice(11, 19)} UTC`);
  const came = await eventually(world, () => accountOf(world.downstream, contractor)?.active === true);
  proof.expect(came, `an account in the application after ${elapsed(performance.now() - given)}`);
  return until;
}

export interface Changes {
  /** When each was done at the source. */
  at: Readonly<Record<"leaver" | "joiner" | "mover" | "contractor", Date>>;
  before: Snapshot;
}

/** Changes at the source, one sync, and what follows. */
export async function changeAndSync(
  world: World,
  { screen, cast, proof, grantEnds }: { screen: Screen; cast: Cast; proof: Proof; grantEnds: Date },
): Promise<Changes> {
  const { leaver, joiner, mover } = cast;
  const { directory } = world;
  screen.heading(`Changes in ${directory.name}`);
  const before = snapshotOf(world.downstream);
  const at = {
    leaver: await directory.remove(leaver),
    joiner: await directory.add(joiner.person, joiner.groups),
    mover: await directory.move(mover.person, mover.move),
    contractor: grantEnds,
  };
  screen.facts({
    deleted: `${fullName(leaver)}, ${leaver.title}, ${leaver.unit.name}`,
    added: `${fullName(joiner.person)}, ${joiner.person.title}, in ${joiner.groups.map(({ name }) => name).join(" and ")}`,
    moved: `${fullName(mover.person)}, from ${mover.person.unit.name} to ${mover.move.unit.name}`,
  });
  screen.heading("Second sync");
  const summary = await syncWithBars(world, { screen, mode: "incremental" });
  showPlan(screen, summary);
  screen.line();
  await deliverWithBar(world, screen);
  const waiting = screen.progress("The grant's end");
  const left = () => Math.max(0, grantEnds.getTime() - Date.now());
  const expired = await eventually(
    world,
    () => {
      waiting.update(GRANT_SECONDS - Math.ceil(left() / 1000), GRANT_SECONDS);
      return accountOf(world.downstream, cast.contractor)?.active === false;
    },
    left() + PATIENCE_MS,
  );
  waiting.end(expired ? "came, nobody did anything" : "came, but the account is still active");
  proof.expect(summary.state === "done" && summary.applied.failed === 0, "the plan was applied, nothing refused");
  return { at, before };
}

/** Looks again and again until it is so, or the time is up. */
async function eventually({ ctx }: World, isSo: () => boolean, withinMs = PATIENCE_MS): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline;) {
    if (isSo()) return true;
    await sleep(25, undefined, { signal: ctx.signal });
  }
  return isSo();
}

export function fullName({ givenName, familyName }: Pick<CompanyPerson, "givenName" | "familyName">): string {
  return `${givenName} ${familyName}`;
}

/** A path as somebody would type it here. */
export function relative(file: string): string {
  const short = path.relative(process.cwd(), file);
  return short.startsWith("..") ? file : short || ".";
}
