import { z } from "zod";

/** Ids of runs, plans, accounts, projections and deliveries, as they stand in a path. */
export const rowId = z
  .string()
  .regex(/^[1-9]\d{0,14}$/, "must be a whole number")
  .transform(Number);
export const rowIdParams = z.object({ id: rowId });

/** A connection's name. */
export const connectionName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, "must be lower-case letters, digits and dashes");
export const nameParams = z.object({ name: connectionName });

/** Where a page of a list in the order of ids begins. */
export const idPlace = z.tuple([z.int().positive()]);

export const kind = z.enum(["user", "group", "unit"]);

/** Items by kind and action. */
export const counts = z.record(z.string(), z.record(z.string(), z.int()));
