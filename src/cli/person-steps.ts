import { Option, type Command } from "commander";
import { findPerson } from "../directory/people.ts";
import { stepFacts } from "../provision/step-facts.ts";
import { kindFor, overall, stepsOf, type Step, type StepsKind } from "../provision/steps.ts";
import { alignedRows, type Column } from "./output.ts";
import type { Shell } from "./shell.ts";

const KINDS: readonly StepsKind[] = ["onboarding", "offboarding", "change"];

const COLUMNS: readonly Column<Step>[] = [
  { title: "STEP", value: (step) => step.what },
  { title: "TARGET", value: (step) => step.target },
  { title: "STATE", value: (step) => step.state },
  { title: "AT", value: (step) => step.at },
  { title: "NEXT TRY", value: (step) => step.nextTry },
  { title: "DETAIL", value: (step) => [step.detail, step.error ?? ""].join(" ").trimEnd() },
];

export function personSteps(parent: Command, shell: Shell): void {
  parent
    .command("steps")
    .description("what was done, is waiting or failed for somebody to begin, to leave, or to change")
    .argument("<key>", "login name, e-mail address, employee number or id")
    .addOption(new Option("--kind <kind>", "by the person's state when absent").choices(KINDS))
    .action((key: string, options: { kind?: StepsKind }) =>
      shell.run(async ({ ctx, db, out }) => {
        const { id: personId, userName } = await findPerson(db.pool, key);
        const now = ctx.now();
        const facts = await stepFacts(db.pool, { personId, now });
        const kind = options.kind ?? kindFor(facts.state);
        const steps = stepsOf(facts, { kind, now });
        const state = overall(steps);
        out.result({ personId, kind, state, steps }, [
          `${userName}, ${kind}: ${state}`,
          ...(steps.length === 0 ? [] : ["", ...alignedRows(steps, COLUMNS)]),
        ]);
      }),
    );
}
