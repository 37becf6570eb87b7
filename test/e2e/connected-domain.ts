import { openDomain, type Domain } from "../helpers/active-directory.ts";
import { openBreakingWire, type BreakingWire } from "../helpers/breaking-wire.ts";
import { connectUpstream, type Connected } from "./upstream.ts";

/** A real domain, a directory connected to it by the mapping that is shipped, and an application downstream. */
export interface ConnectedDomain extends Connected {
  domain: Domain;
  /** Between the two. */
  wire: BreakingWire;
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
  const { hostname, port } = new URL(domain.url);
  const wire = await openBreakingWire({ host: hostname, port: Number(port || 636) });
  const connected = await connectUpstream({
    shipped: "active-directory",
    settings: (shipped) => ({
      ...shipped,
      changes,
      url: `ldaps://${hostname}:${wire.port}`,
      caFile: domain.caFile,
      bindDn: domain.adminDn,
      bindPassword: domain.adminPassword,
      users: { ...shipped["users"], base: domain.people },
      groups: { base: domain.groups },
      units: { base: domain.people },
    }),
    stop: async () => {
      await wire.stop();
      await domain.stop();
    },
  });
  return {
    ...connected,
    domain,
    wire,
    memberships: async () => {
      const { rows } = await connected.world.db.pool.query<{ id: string; members: string[] }>(MEMBERSHIPS);
      return Object.fromEntries(rows.map(({ id, members }) => [id, members]));
    },
  };
}
