import type { PlainValue, SharedReads } from "../../db/shared-reads.ts";

/** How requests look at what they are about to change: nothing is locked, and those who look at one moment do it by one statement. */
export interface Looks {
  reads: SharedReads;
  /** SQL of the stamp that a client's credentials have now, from that of their hash. */
  stampOf(hash: string): string;
}

/** What a client was found to be before: it is proved when its stamp is still the same. */
export interface Proof {
  hash: Buffer;
  stamp: string;
}

/** A look's rows, and whether they were found for a client that is proved; without a proof it was before. */
export interface Looked<Row> {
  rows: Row[];
  proven: boolean;
}

/** A statement that looks for one request; its parameters carry casts, and the next one is that of the proof. */
export interface LookStatement {
  name: string;
  text: string;
  values: readonly PlainValue[];
}

export async function look<Row extends object>(
  { reads, stampOf }: Looks,
  { name, text, values, proof }: LookStatement & { proof: Proof | undefined },
): Promise<Looked<Row>> {
  const rows = await reads.query<Row & { proved: string | null; found: boolean | null }>({
    name,
    text: `select ${stampOf(`$${values.length + 1}::bytea`)} as proved, looked.* from (select) one left join lateral (select true as found, row.* from (${text}) row) looked on true`,
    values: [...values, proof?.hash ?? null],
  });
  return {
    rows: rows.filter(({ found }) => found === true),
    proven: proof === undefined || rows[0]?.proved === proof.stamp,
  };
}

/** A text[] as plain text, which is all that a shared read carries. */
export function arrayText(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}
