import pg from "pg";
import { directoryOf } from "./directory.ts";
import { groupDocument, userDocument } from "./documents.ts";

const BATCH = 1000;

/** The tables of the bare handler and of scimmy-routers, in one database; each server reads its own. */
export async function fillPeers({ url, people }: { url: string; people: number }): Promise<void> {
  const directory = directoryOf(people);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`create table bare_people (id uuid primary key, document text not null);
      create table routers_resources (kind text not null, id uuid not null, document jsonb not null, primary key (kind, id));`);
    for (let first = 0; first < directory.people; first += BATCH) {
      const count = Math.min(BATCH, directory.people - first);
      const users = Array.from({ length: count }, (_, index) => userDocument(directory, first + index));
      const values = [users.map(({ id }) => id), users.map((user) => JSON.stringify(user))];
      await client.query("insert into bare_people select * from unnest($1::uuid[], $2::text[])", values);
      await client.query(
        "insert into routers_resources select 'users', id, d::jsonb from unnest($1::uuid[], $2::text[]) as t (id, d)",
        values,
      );
    }
    for (const index of directory.groups.keys()) {
      const group = groupDocument(directory, index);
      await client.query("insert into routers_resources values ('groups', $1, $2)", [group.id, JSON.stringify(group)]);
    }
    await client.query(`create unique index on routers_resources (lower(document->>'userName')) where kind = 'users';
      create index on routers_resources (kind, lower(document->>'userName'));
      create index on routers_resources (kind, (document->>'externalId'));`);
    await client.query("vacuum analyze");
  } finally {
    await client.end();
  }
}
