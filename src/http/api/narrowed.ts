import { AppError } from "../../errors.ts";

/** What a credential is narrowed to; null = to nothing. */
export interface Width {
  permissions: readonly string[] | null;
  unitIds: readonly string[] | null;
}

/** Pure: whether what a credential is narrowed by leaves all of this. */
export function isNoWider(caller: Width, wanted: Width): boolean {
  const within = (own: readonly string[] | null, asked: readonly string[] | null) =>
    own === null || (asked !== null && asked.every((each) => own.includes(each)));
  return within(caller.permissions, wanted.permissions) && within(caller.unitIds, wanted.unitIds);
}

/**
 * A narrowed credential makes none that is wider, and ends none either: found somewhere, it would shut its owner's systems out. Throws
 * `forbidden`.
 */
export function requireNoWider(caller: Width, wanted: Width): void {
  if (!isNoWider(caller, wanted))
    throw new AppError(
      "forbidden",
      "The token that you call with is narrowed; one that it makes, ends, or gives a later end must be narrowed at least as far.",
      {
        field: "permissions",
      },
    );
}
