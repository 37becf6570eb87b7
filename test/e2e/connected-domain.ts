import { openDomain, type Domain } from "../helpers/active-directory.ts";
import { connectUpstream, type Connected } from "./upstream.ts";

/** A real domain, a directory connected to it by the mapping that is shipped, and an application downstream. */
export interface ConnectedDomain extends Connected {
  domain: Domain;
  /** Who is in which group, by the directory's own ids: people, and groups directly in it. */
  memberships(): Promise<Record<string, string[]>>;
}

const MEMBERSHIPS = `
  select g.native_id as id,
      array(select a.native_id from accounts a
             where a.id in (select m.account_id from memberships m where m.group_id = g.group_id and m.recorded_to is null and m.valid_to is null
                      union select n.account_id from nestings n where n.parent_group_id = g.group_id and n.recorded_to is null and n.valid_to is null)
             order by a.native_id collate "C") as members
    from accounts g where g.kind = 'group' and g.gone_at is null`;

export async function connectDomain(changes: "auto" | "uSNChanged" = "auto"): Promise<ConnectedDomain> {
  const domain = await openDomain();
  const connected = await connectUpstream({
    shipped: "active-directory",
    settings: (shipped) => ({
      ...shipped,
      changes,
      url: domain.url,
      caFile: domain.caFile,
      bindDn: domain.adminDn,
      bindPassword: domain.adminPassword,
      users: { ...shipped["users"], base: domain.people },
      groups: { base: domain.groups },
      units: { base: domain.people },
    }),
    stop: () => domain.stop(),
  });
  return {
    ...connected,
    domain,
    memberships: async () => {
      const { rows } = await connected.world.db.pool.query<{ id: string; members: string[] }>(MEMBERSHIPS);
      return Object.fromEntries(rows.map(({ id, members }) => [id, members]));
    },
  };
}
