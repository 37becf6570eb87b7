import type { Command } from "commander";
import { personCard, type PersonCard } from "../access/person-card.ts";
import { alignedRows, eventText, moment, type Column } from "./output.ts";
import type { Shell } from "./shell.ts";
import { onOneLine } from "./visible.ts";

export function personShow(parent: Command, shell: Shell): void {
  parent
    .command("show")
    .description("everything that is known of one person: accounts, groups, access and why, deliveries")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .action((key: string) =>
      shell.run(async ({ ctx, db, out }) => {
        const card = await personCard(db.pool, { key, at: ctx.now() });
        out.result(card, cardLines(card));
      }),
    );
}

function cardLines(card: PersonCard): string[] {
  const { person } = card;
  return [
    `${onOneLine(person.displayName ?? person.userName)}  ${person.state}`,
    ...facts([
      ["login", person.userName],
      ["id", person.id],
      ["e-mail", person.email],
      ["employee number", person.employeeNumber],
      ["manager", person.manager],
      ["origin", person.origin ?? "local"],
      ["changed", moment(person.modifiedAt)],
      ["employed", card.employment && employmentText(card.employment)],
      ["access ends", card.accessEnds && moment(card.accessEnds)],
    ]),
    ...section("Blocked by", card.blocks, [
      { title: "OWNER", value: (row) => row.connection ?? row.owner },
      { title: "EFFECT", value: (row) => row.effect },
      { title: "SINCE", value: (row) => row.since },
      { title: "REASON", value: (row) => row.reason },
    ]),
    ...section("Accounts", card.accounts, [
      { title: "CONNECTION", value: (row) => row.connection },
      { title: "SITUATION", value: (row) => (row.goneAt ? `gone ${moment(row.goneAt)}` : row.situation) },
      { title: "NATIVE ID", value: (row) => row.nativeId },
    ]),
    ...section("Units", card.units, [
      { title: "CODE", value: (row) => row.code },
      { title: "NAME", value: (row) => row.name },
    ]),
    ...section("Groups", card.groups, [
      { title: "NAME", value: (row) => row.displayName },
      { title: "MEMBER", value: (row) => (row.direct ? "itself" : "through another group") },
    ]),
    ...section("Access", card.access, [
      { title: "ROLE", value: (row) => row.role },
      { title: "UNIT", value: (row) => `${row.unit}${row.units > 1 ? ` and ${row.units - 1} below` : ""}` },
      { title: "FROM", value: (row) => (row.group === null ? "own grant" : `group ${row.group}`) },
      { title: "UNTIL", value: (row) => (row.endsAt ? moment(row.endsAt) : "no end") },
    ]),
    ...section("Delivered to", card.deliveries, [
      { title: "TARGET", value: (row) => row.target },
      { title: "WANTED", value: (row) => row.desiredState },
      { title: "THERE", value: (row) => row.deliveredState },
      { title: "STATE", value: (row) => row.state },
      { title: "AT", value: (row) => row.deliveredAt },
      { title: "ERROR", value: (row) => row.lastError ?? "" },
    ]),
    ...(card.events.length === 0 ? [] : ["", "What happened", ...card.events.map((event) => `  ${eventText(event)}`)]),
  ];
}

function employmentText({ from, until }: NonNullable<PersonCard["employment"]>): string {
  return [from ? `from ${moment(from)}` : "", until ? `until ${moment(until)}` : ""].filter(Boolean).join(" ");
}

function facts(pairs: readonly (readonly [string, string | null])[]): string[] {
  return pairs.flatMap(([name, value]) => (value === null ? [] : [`  ${name.padEnd(16)}${onOneLine(value)}`]));
}

function section<Row>(title: string, rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  return rows.length === 0 ? [] : ["", title, ...alignedRows(rows, columns).map((line) => `  ${line}`)];
}
