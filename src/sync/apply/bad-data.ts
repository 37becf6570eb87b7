import pg from "pg";
import { AppError } from "../../errors.ts";

/** Whether the data itself is at fault: SQLSTATE class 22 (data) and 23 (constraints), and what a decision refuses by name. Pure. */
export function isBadData(error: unknown): boolean {
  if (error instanceof AppError) return error.code === "invalid" || error.code === "conflict";
  return error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? "");
}
