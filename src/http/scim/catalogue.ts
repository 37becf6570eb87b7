import type { Sql } from "../../db/database.ts";
import { listCustomAttributes } from "../../directory/custom-attributes.ts";
import { schemasWith } from "./custom-schema.ts";
import type { Schemas } from "./schema.ts";

/** The schemas of the organisation as they stand at a version of its catalogue. */
export interface Catalogue {
  schemasAt(version: number): Schemas | Promise<Schemas>;
}

/**
 * Keeps the schemas of the version asked for last, so that a request costs no query: who authenticates it reads the
 * version (CATALOGUE_VERSION) in the same statement.
 */
export function createCatalogue(sql: Sql): Catalogue {
  let kept: { version: number; schemas: Schemas } | undefined;
  return {
    schemasAt(version) {
      return kept?.version === version ? kept.schemas : read(version);
    },
  };

  async function read(version: number): Promise<Schemas> {
    const schemas = schemasWith(await listCustomAttributes(sql));
    // The attributes may be newer than the version that was asked for; then the next request reads them again.
    if (!kept || kept.version < version) kept = { version, schemas };
    return schemas;
  }
}
