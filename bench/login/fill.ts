import { randomUUID } from "node:crypto";
import { hashPassword, type PasswordSettings } from "../../src/auth/passwords/hash.ts";
import { openDatabase } from "../../src/db/database.ts";

export const PASSWORD = "four quiet otters juggle";

/** People with a password each (of one hash: only its cost matters), one in ten of them suspended. Returns the names of the active. */
export async function fillLogins(url: string, { people, settings }: { people: number; settings: PasswordSettings }): Promise<string[]> {
  const db = openDatabase({ url, poolSize: 2 });
  try {
    const hash = await hashPassword(PASSWORD, settings.argon2);
    const rows = Array.from({ length: people }, (_, at) => ({
      id: randomUUID(),
      name: `person-${at}-${randomUUID().slice(0, 4)}`,
      state: at % 10 === 9 ? "suspended" : "active",
    }));
    await db.pool.query(
      `insert into people (id, user_name, display_name, email, attributes, active, state, created_at, modified_at)
       select r.id, r.name, r.name, r.name || '@example.com', jsonb_build_object('userName', r.name), r.state = 'active', r.state, now(), now()
       from jsonb_to_recordset($1::jsonb) as r (id uuid, name text, state text)`,
      [JSON.stringify(rows)],
    );
    await db.pool.query(
      "insert into passwords (person_id, hash, set_at) select r.id, $2, now() from jsonb_to_recordset($1::jsonb) as r (id uuid)",
      [JSON.stringify(rows), hash],
    );
    return rows.filter(({ state }) => state === "active").map(({ name }) => name);
  } finally {
    await db.close();
  }
}
