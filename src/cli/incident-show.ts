import type { Command } from "commander";
import { attemptsOfIncident } from "../auth/risk/incident-attempts.ts";
import { evidenceOf, notesOf, readIncident, type EvidenceLine } from "../auth/risk/incident-list.ts";
import { uuidArgument, wholeNumber } from "./arguments.ts";
import { alignedRows, moment } from "./output.ts";
import type { Shell } from "./shell.ts";

export function incidentShow(parent: Command, shell: Shell): void {
  parent
    .command("show")
    .description("an incident with its evidence, the attempts that it is about, and notes")
    .argument("<id>", "the incident")
    .option("--attempts <count>", "at most so many attempts", wholeNumber, 20)
    .action((id: string, { attempts: limit }: { attempts: number }) =>
      shell.run(async ({ db: { pool }, out }) => {
        const incident = await readIncident(pool, uuidArgument(id, "id"));
        const [evidence, notes] = [await evidenceOf(pool, id), await notesOf(pool, id)];
        const attempts = await attemptsOfIncident(pool, { incidentId: id, limit });
        const { kind, state, outcome, person, subjectId, openedAt, lastAt, response } = incident;
        out.result({ ...incident, evidence, notes, attempts }, [
          `${kind} about ${person?.userName ?? subjectId}, ${outcome ?? state}, opened ${moment(openedAt)}, seen last ${moment(lastAt)}`,
          ...(response === null ? [] : [`Done at once: ${response.replace("_", " ")}`]),
          ...evidence.map(factsLine),
          ...notes.map(({ at, author, text }) => `${moment(at)}  ${author}: ${text}`),
          ...(attempts.length === 0 ? [] : [""]),
          ...(attempts.length === 0
            ? []
            : alignedRows(attempts, [
                { title: "AT", value: (row) => row.at },
                { title: "KIND", value: (row) => row.kind },
                { title: "OUTCOME", value: (row) => row.outcome },
                { title: "WHY", value: (row) => row.why },
                { title: "ADDRESS", value: (row) => row.address ?? row.network },
                { title: "PERSON", value: (row) => row.personId ?? "unknown name" },
              ])),
          ...(state === "closed" ? [] : ["", `Next: rollcall incident close ${id} --outcome resolved --reason WHY`]),
        ]);
      }),
    );
}

function factsLine({ firstAt, lastAt, facts }: EvidenceLine): string {
  const counted = Object.entries(facts).map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(", ") : String(value ?? "-")}`);
  return `${moment(firstAt)} to ${moment(lastAt)}: ${counted.join("; ")}`;
}
