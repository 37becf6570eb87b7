import { randomUUID } from "node:crypto";
import pg from "pg";
import SCIMMY from "scimmy";
import { soleEquality, stamped, USUAL_COUNT, type Resource, type Store } from "./routers-store.ts";

/** Attributes that have an index, by their names in a filter in lower case, and how SQL compares them. */
const INDEXED: Readonly<Record<string, string>> = {
  id: "id = $2::uuid",
  username: "lower(document->>'userName') = lower($2)",
  externalid: "document->>'externalId' = $2",
  displayname: "lower(document->>'displayName') = lower($2)",
};

const UNIQUE_VIOLATION = "23505";

/**
 * A table of documents. One by id, pages and plain equalities are SQL; every other filter is scimmy's own match over
 * all documents, since that is what it offers.
 */
export function postgresStore({ databaseUrl, poolSize }: { databaseUrl: string; poolSize: number }): Store {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: poolSize });
  /** Prepared by what follows "where": PostgreSQL takes 63 letters for a name. */
  const documents = async (condition: string, values: readonly unknown[]): Promise<Resource[]> => {
    const text = `select document from routers_resources where kind = $1 ${condition}`;
    return (await pool.query<{ document: Resource }>({ name: condition, text, values: [...values] })).rows.map(({ document }) => document);
  };

  return {
    findOne: async (kind, id) => (await documents("and id = $2::uuid", [kind, id])).at(0),
    async findMany(kind, { filter, constraints: { startIndex = 1, count = USUAL_COUNT } }) {
      if (filter) {
        const equality = soleEquality(filter);
        const condition = equality && INDEXED[equality.attribute.toLowerCase()];
        const resources = condition
          ? await documents(`and ${condition}`, [kind, equality.value])
          : (filter.match(await documents("", [kind])) as Resource[]);
        return { resources, total: resources.length, paged: false };
      }
      const { rows } = await pool.query<{ total: number }>("select count(*)::int as total from routers_resources where kind = $1", [kind]);
      const resources = await documents("order by id offset $2 limit $3", [kind, startIndex - 1, count]);
      return { resources, total: rows[0]?.total ?? 0, paged: true };
    },
    async create(kind, attributes) {
      const stored = stamped(randomUUID(), attributes);
      try {
        await pool.query("insert into routers_resources (kind, id, document) values ($1, $2, $3)", [
          kind,
          stored.id,
          JSON.stringify(stored),
        ]);
      } catch (error) {
        if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
        throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
      }
      return stored;
    },
    async update(kind, id, attributes) {
      const { meta } = attributes as Partial<Resource>;
      const stored = stamped(id, attributes, meta?.created);
      const text = "update routers_resources set document = $3 where kind = $1 and id = $2";
      const { rowCount } = await pool.query(text, [kind, id, JSON.stringify(stored)]);
      return rowCount ? stored : undefined;
    },
    async remove(kind, id) {
      return Boolean((await pool.query("delete from routers_resources where kind = $1 and id = $2", [kind, id])).rowCount);
    },
  };
}
