import { parseArgs } from "node:util";

export const USAGE = `npm run demo -- [options]
  --people N   people in the made-up company (2000; 200 or more)
  --groups N   its groups (100; 70 or more)
  --csv        from a CSV feed, without slapd
  --port N     where Rollcall listens (8080, or a free port when that is taken)
  --once       end after the show: exit code 0 when everything came as it should
  --help       this`;

/** Every company of this size or a bigger one has everybody that the story needs (cast.ts). */
export const SMALLEST = { people: 200, groups: 70 } as const;
const LAST_PORT = 65_535;

export interface Options {
  people: number;
  groups: number;
  csv: boolean;
  port: number;
  once: boolean;
  help: boolean;
}

interface CommandLine {
  /** Without node and the script. */
  parameters: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  /** Whether somebody sits there, who can end it. */
  attended: boolean;
}

/** What the demo is asked for. Throws before anything is started: a company that can't play would be found out only on stage. */
export function readOptions({ parameters, environment, attended }: CommandLine): Options {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      people: { type: "string", default: "2000" },
      groups: { type: "string", default: "100" },
      port: { type: "string", default: environment["PORT"] || "8080" },
      csv: { type: "boolean", default: false },
      once: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const whole = (name: "people" | "groups" | "port", { least, most }: { least: number; most?: number }) => {
    const value = values[name].trim() === "" ? NaN : Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= (most ?? value)) return value;
    throw new Error(`--${name} must be a whole number${most === undefined ? `, ${least} or more` : ` from ${least} to ${most}`}.`);
  };
  const unattended = !attended && environment["CI"] === "true";
  return {
    people: whole("people", { least: SMALLEST.people }),
    groups: whole("groups", { least: SMALLEST.groups }),
    port: whole("port", { least: 0, most: LAST_PORT }),
    csv: values.csv,
    once: values.once || unattended,
    help: values.help,
  };
}
