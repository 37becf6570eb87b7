import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { followEvents, type AuditLine } from "../audit/tail.ts";
import { wholeNumber } from "./arguments.ts";
import { eventText } from "./output.ts";
import type { Shell } from "./shell.ts";
import { visible } from "./visible.ts";

interface Options {
  lines: number;
  follow?: boolean;
  subject?: string;
  event?: string;
}

const POLL_MS = 1000;

export function auditTail(parent: Command, shell: Shell): void {
  parent
    .command("tail")
    .description("the newest audit events, oldest first; with --json one event a line")
    .option("-n, --lines <count>", "how many", wholeNumber, 50)
    .option("-f, --follow", "go on with new ones until Ctrl-C")
    .option("--subject <id>", "only about this person, connection, plan, …")
    .option("--event <prefix>", "only events whose name begins so: person., plan.held")
    .action(({ lines, follow = false, subject, event }: Options) =>
      shell.run(async ({ ctx, db, out, terminal }) => {
        const print = (line: AuditLine) => terminal.write(`${out.json ? visible(JSON.stringify(line)) : eventText(line)}\n`);
        const only = { limit: lines, subjectId: subject, name: event };
        let empty = true;
        const onEvent = (line: AuditLine) => {
          empty = false;
          print(line);
        };
        const again = async () => {
          if (empty && !out.json)
            out.note(
              subject === undefined && event === undefined
                ? "No events yet: every change and decision is recorded here."
                : "There are no such events.",
            );
          empty = false;
          if (follow) await sleep(POLL_MS, undefined, { signal: ctx.signal }).catch(() => undefined);
          return follow && !ctx.signal.aborted;
        };
        await followEvents(db.pool, { ...only, again, onEvent });
      }),
    );
}
