import { GoogleError } from "./errors.ts";
import type { Called, FaultName } from "./faults.ts";
import type { Organisation } from "./state.ts";

export interface Request extends Called {
  body: Readonly<Record<string, unknown>>;
  scopes: readonly string[];
  fault: FaultName | undefined;
  serial: number;
}

/** Refuses a listing of another organisation; returns the domain that it is limited to. */
export function checkCustomer(of: Organisation, query: URLSearchParams): string | undefined {
  const customer = query.get("customer");
  const domain = query.get("domain") ?? undefined;
  if (customer === null && domain === undefined) throw new GoogleError(400, "required", "Missing required field: domain or customer");
  if (customer !== null && customer !== "my_customer" && customer !== of.customerId)
    throw new GoogleError(400, "badRequest", "Bad Request");
  return domain;
}
