import { z } from "zod";
import { Fault } from "../../contract.ts";

const FAULT_KINDS = ["transient", "throttled", "expired", "gone", "exists", "rejected", "denied", "misconfigured"] as const;
const faultSchema = z.strictObject({ fault: z.enum(FAULT_KINDS), message: z.string() });

/** A fault as it is written down; how long was to be waited is not, since a replay waits for nobody. */
export function saidOfFault(error: unknown): z.output<typeof faultSchema> | undefined {
  return error instanceof Fault ? { fault: error.kind, message: error.message } : undefined;
}

function thrownOf({ fault, message }: z.output<typeof faultSchema>): Fault {
  return new Fault(fault, message);
}

/** What was said, in its form; thrown again where it was a fault. Throws a Fault `rejected` for another form. */
export function heard<T>(schema: z.ZodType<T>, said: unknown): T {
  const fault = faultSchema.safeParse(said);
  if (fault.success) throw thrownOf(fault.data);
  const read = schema.safeParse(said);
  if (read.success) return read.data;
  throw new Fault("rejected", `The recording holds something in another form (${read.error.issues[0]?.path.join(".") || "a line"}).`);
}

/** The recording has no answer to what is asked. */
export function nothingLeft(what: string): Fault {
  return new Fault(
    "rejected",
    `The recording holds no further answer for ${what}. It was made with other settings, or from another state, or it broke off here.`,
  );
}
