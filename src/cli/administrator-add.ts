import type { Command } from "commander";
import { giveGrant } from "../access/grants.ts";
import { baseUrlOf } from "../config.ts";
import { inTransaction, type Sql, type Work } from "../db/database.ts";
import { findPerson } from "../directory/people.ts";
import { createUnit, findUnit } from "../directory/units.ts";
import { AppError } from "../errors.ts";
import { createLocalPerson } from "../sync/local-people.ts";
import type { Shell } from "./shell.ts";

const ROLE = "rollcall-administrator";

interface Options {
  unit?: string;
  organisation?: string;
}

/** How the first administrator comes in: by whoever may run commands on the machine. */
export function administratorAdd(parent: Command, shell: Shell): void {
  parent
    .command("add")
    .description("make somebody an administrator: of the organisation, or of one unit and all below it")
    .argument("<who>", "e-mail address or login name; somebody unknown is made here")
    .option("--unit <code>", "code or id of the unit; the organisation at the top of the tree when absent")
    .option("--organisation <name>", "name of the organisation, made when there is none yet")
    .action((who: string, options: Options) =>
      shell.run(async ({ ctx, db, config, out }) => {
        const done = await inTransaction(db, ctx, async (work) => {
          const unit = await unitOf(work, options);
          const person = await personOf(work, who);
          const given = await give(work, { personId: person.id, unitId: unit.id });
          const beside = options.unit === undefined ? await topsBeside(work, person.id) : [];
          return { unit, person, given, beside };
        });
        const { unit, person, given, beside } = done;
        out.result(
          { personId: person.id, personMade: person.made, unitId: unit.id, unitMade: unit.made, given },
          [
            ...(unit.made ? [`Made the organisation ${unit.name} (${unit.id}).`] : []),
            ...(person.made ? [`Made ${person.userName} (${person.id}).`] : []),
            given
              ? `${person.userName} is an administrator of ${unit.name} now.`
              : `${person.userName} is an administrator of ${unit.name} already.`,
            `To sign in at ${baseUrlOf(config)}/login: rollcall person reset-password ${person.userName} --show`,
            `A token for the administration API: rollcall token create --name NAME --scope api --person ${person.userName}`,
          ].join("\n"),
        );
        for (const { name, key } of beside)
          out.note(
            `${name} stands beside ${unit.name}, not below it; to administer that, too: rollcall administrator add ${person.userName} --unit ${key}`,
          );
      }),
    );
}

interface Named {
  id: string;
  made: boolean;
}

async function unitOf(work: Work, { unit, organisation }: Options): Promise<Named & { name: string }> {
  if (unit !== undefined) return { ...(await findUnit(work.sql, unit)), made: false };
  const tops = await organisations(work.sql);
  const wanted = organisation === undefined ? tops : tops.filter(({ name }) => name.toLowerCase() === organisation.toLowerCase());
  const [only, second] = wanted;
  if (second)
    throw new AppError("conflict", "--unit: there is more than one organisation at the top of the tree; say which.", { field: "--unit" });
  if (only) return { ...only, made: false };
  if (tops.length > 0)
    throw new AppError("conflict", `--organisation: there is ${tops[0]?.name} already; leave --organisation out, or name a --unit.`, {
      field: "--organisation",
    });
  if (organisation === undefined)
    throw new AppError("invalid", "There is no organisation yet: name it with --organisation NAME.", { field: "--organisation" });
  return { id: await createUnit(work, { name: organisation, type: "organization" }), name: organisation, made: true };
}

async function organisations(sql: Sql): Promise<{ id: string; name: string }[]> {
  const { rows } = await sql.query<{ id: string; name: string }>(
    "select id, name::text from units where parent_id is null and type = 'organization' and deleted_at is null order by created_at limit 100",
  );
  return rows;
}

/** Tops of the tree of which nothing is seen: where a directory brings units, they mostly stand beside the organisation made here. */
async function topsBeside({ sql, ctx }: Work, personId: string): Promise<{ name: string; key: string }[]> {
  const { rows } = await sql.query<{ name: string; key: string }>(
    `select u.name::text, coalesce(u.code::text, u.id::text) as key from units u
     where u.parent_id is null and u.deleted_at is null and not exists (
       select from grants g join roles r on r.id = g.role_id and r.key = $2
       where g.person_id = $1 and g.unit_id = u.id and g.recorded_to is null and g.valid_from <= $3 and g.valid_to is null)
     order by u.created_at limit 5`,
    [personId, ROLE, ctx.now()],
  );
  return rows;
}

async function personOf(work: Work, who: string): Promise<Named & { userName: string }> {
  try {
    const { id, userName } = await findPerson(work.sql, who);
    return { id, userName, made: false };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
  }
  if (!/^[^\s\p{Cc}]{1,200}$/u.test(who))
    throw new AppError("invalid", "A login name or e-mail address has no spaces, and at most 200 characters.", { field: "who" });
  const emails = who.includes("@") ? { emails: [{ value: who, type: "work", primary: true }] } : {};
  const id = await createLocalPerson(work, { contribution: { userName: who, ...emails }, reason: "made on the command line" });
  return { id, userName: who, made: true };
}

/** Whether it was given now; false when it stood already. */
async function give(work: Work, { personId, unitId }: { personId: string; unitId: string }): Promise<boolean> {
  const { rowCount } = await work.sql.query(
    `select from grants g join roles r on r.id = g.role_id and r.key = $3
     where g.person_id = $1 and g.unit_id = $2 and g.recorded_to is null and g.valid_from <= $4 and g.valid_to is null`,
    [personId, unitId, ROLE, work.ctx.now()],
  );
  if (rowCount) return false;
  await giveGrant(work, { personId, role: ROLE, unit: unitId, reason: "made an administrator on the command line" });
  return true;
}
