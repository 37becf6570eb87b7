const TABLES = ["person_expiries", "employment_absences"] as const;

/**
 * SQL of the condition that a person's own time has neither ended nor still to begin at an instant: neither the end that somebody
 * set for them, nor their dates of employment, whether or not the job has come that carries it out. `person` is SQL of the id,
 * `at` of the instant.
 */
export function withinOwnTime({ person, at }: { person: string; at: string }): string {
  return TABLES.map(
    (table) => `not exists (select from ${table} own where own.person_id = ${person} and own.recorded_to is null and own.valid @> ${at})`,
  ).join(" and ");
}

/** SQL of the next instant after `at` at which a person's own time ends; null when no end is known. */
export function ownTimeEnds({ person, at }: { person: string; at: string }): string {
  return `(select min(own.valid_from) from (${TABLES.map(
    (table) => `select valid_from from ${table} where person_id = ${person} and recorded_to is null and valid_from > ${at}`,
  ).join(" union all ")}) own)`;
}

/** SQL of a text that changes whenever something else is believed of a person's own time. */
export function ownTimeStamp(person: string): string {
  return `concat_ws('/', ${TABLES.map((table) => `(select max(own.id) from ${table} own where own.person_id = ${person})`).join(", ")})`;
}
