import type { Company } from "../../../demo/company.ts";

/** A system of one kind that holds a whole company. */
export interface Filled {
  /** Where it answers; absent for a file. */
  origin?: string;
  /** Settings of a connection that reads it at this address. */
  settings(address: string): Readonly<Record<string, unknown>>;
  /** Changes so many people, spread over the company, as an administrator would. */
  change(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface FillOptions {
  company: Company;
  /** For what is a file. */
  folder: string;
}

/** Indexes of `count` people, spread over the company. */
export function spread({ people }: Company, count: number): number[] {
  const step = people / count;
  return Array.from({ length: count }, (_, number) => Math.floor(number * step));
}
