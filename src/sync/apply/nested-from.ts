interface Nesting {
  parent: string;
  child: string;
  connection: string;
  /** Now. */
  at: string;
}

/**
 * SQL of when a group begins to be in another, as `began.at`: now, but not before it ceased to be. Clocks of two nodes may differ, and one may
 * be set back.
 */
export function nestedFrom({ parent, child, connection, at }: Nesting): string {
  return `cross join lateral (select greatest(${at}, max(greatest(before.valid_to, before.recorded_to))) as at from nestings before
      where before.parent_group_id = ${parent} and before.child_group_id = ${child} and coalesce(before.connection_id, 0) = coalesce(${connection}, 0)) began`;
}
