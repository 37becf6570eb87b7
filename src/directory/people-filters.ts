/** What a list of people is narrowed by. */
export interface PeopleFilters {
  /** Words, each of which is part of a name, a login, an address, a phone number or an employee number. */
  q?: string | undefined;
  /** With all units below it. */
  unitId?: string | undefined;
  /** With the groups in it. */
  groupId?: string | undefined;
  /** Who holds it now, on whatever unit, by themselves or through a group. */
  roleId?: string | undefined;
  managerId?: string | undefined;
  state?: string | undefined;
  active?: boolean | undefined;
  /** Name of the connection; null = made here. */
  origin?: string | null | undefined;
}

/** Placeholders of one statement. */
export interface Parameters {
  readonly values: unknown[];
  add(value: unknown): string;
}

export function parameters(values: readonly unknown[] = []): Parameters {
  const given = [...values];
  return { values: given, add: (value) => `$${given.push(value)}` };
}

/** One filter: as a condition on `p`, and, where an index leads to those who meet it, as a query of their ids. */
export interface Filter {
  condition: string;
  ids?: string;
  /** Asks what somebody is found by: see FOUND_BY. */
  words?: true;
  /** The same as `ids` of those alone whom this query of ids leads to, looked up by their ids. */
  idsAmong?: (ids: string) => string;
  /** The same as `ids`, and nothing but the ids, while nothing waits to be taken over. */
  idsAlone?: string;
}

const OPEN = "recorded_to is null and valid_to is null";

/** The filters as SQL. `words` are folded already. */
export function filtersOf(
  filters: PeopleFilters,
  { given, words, at }: { given: Parameters; words: readonly string[]; at: Date },
): Filter[] {
  const { unitId, groupId, roleId, managerId, state, active, origin } = filters;
  const made: Filter[] = [];
  if (words.length > 0) made.push(search(words, given));
  if (unitId !== undefined) made.push(among(inUnit(given.add(unitId))));
  if (groupId !== undefined) made.push(among(inGroups(`select ${given.add(groupId)}::uuid`, "true")));
  if (roleId !== undefined) made.push(among(withRole({ role: given.add(roleId), at: given.add(at) })));
  if (managerId !== undefined) {
    const manager = `${given.add(managerId)}::uuid`;
    made.push({ condition: `p.manager_id = ${manager}`, ids: `select id from people where manager_id = ${manager}` });
  }
  if (state !== undefined) {
    const wanted = `${given.add(state)}::text`;
    made.push({
      condition: `p.state = ${wanted}`,
      ...(state === "active" ? {} : { ids: `select id from people where state = ${wanted} and state not in ('active', 'deleted')` }),
    });
  }
  if (active !== undefined) made.push({ condition: `p.active = ${given.add(active)}::boolean` });
  if (origin !== undefined) made.push({ condition: origin === null ? "p.origin_id is null" : masteredBy(given.add(origin)) });
  return made;
}

/** Asked once a statement, whether there is such a connection at all: of one that is not there, nobody is looked at. */
function masteredBy(name: string): string {
  const connection = `(select id from connections where name = ${name}::text)`;
  return `${connection} is not null and p.origin_id = ${connection}`;
}

const NOTED = "(select person_id from search_changes where person_id is not null)";

/** What somebody is found by, as `found.words`, for whoever is `p`: what was taken over, or what they say now if that has changed since. */
export const FOUND_BY = `cross join lateral (select coalesce((select words from person_search where person_id = p.id and person_id not in ${NOTED}), person_search_text(p.attributes)) as words offset 0) found`;

/** Of a short word, three letters of which no index knows, only beginnings of words are meant. */
function search(words: readonly string[], given: Parameters): Filter {
  const conditions = words.map((word) => {
    const part = likePart(word);
    if (word.length < 3) return `(words like ${given.add(`%\n${part}%`)}::text or words like ${given.add(`% ${part}%`)}::text)`;
    return `words like ${given.add(`%${part}%`)}::text`;
  });
  const all = conditions.join(" and ");
  const led = words.map((word, at) => ledTo(word, { condition: conditions[at] ?? "true", given })).join(" and ");
  const noted = `select id, person_search_text(attributes) as words from people where id in ${NOTED} and ${all.replaceAll("words", "person_search_text(attributes)")}`;
  return {
    words: true,
    condition: all.replaceAll("words", "found.words"),
    ids: `select person_id as id, words from person_search where ${led} and person_id not in ${NOTED}
      union all ${noted}`,
    idsAlone: `select person_id as id from person_search where ${led}`,
    idsAmong: (ids) => `select person_id as id, words
      from (select person_id, words from person_search where person_id = any(array(${ids})) offset 0) known
      where ${all} and person_id not in ${NOTED} union all ${noted} and id in (${ids})`,
  };
}

/** Digits in a row, as many as hardly any two people share. */
const NUMBER = /\d{5,}/;

/** The index is asked for what is rare in a word: a long number in it, or what stands before the @ of an address, behind which is most people's. */
function ledTo(word: string, { condition, given }: { condition: string; given: Parameters }): string {
  const local = word.slice(0, word.indexOf("@"));
  const rare = NUMBER.exec(word)?.[0] ?? (word.includes("@") && local.length >= 3 ? local : word);
  if (rare === word) return condition;
  return `words like ${given.add(`%${likePart(rare)}%`)}::text and ${condition.replace("words", "(words || '')")}`;
}

function among(ids: (person?: string) => string): Filter {
  return { condition: `(select true from (${ids("p.id")}) one limit 1) is not null`, ids: ids() };
}

const ofPerson = (column: string, person: string | undefined) => (person === undefined ? "" : ` and ${column} = ${person}`);

function inUnit(unit: string) {
  const units = `select id from units where path operator(public.<@) (select path from units where id = ${unit}::uuid)`;
  const open = "from person_units pu where pu.recorded_to is null and pu.valid_to is null";
  // Of one person after the other: the units are gathered once for all, which "is true" keeps the planner to.
  return (person?: string) =>
    person === undefined
      ? `select pu.person_id as id ${open} and pu.unit_id in (${units})`
      : `select true ${open} and pu.person_id = ${person} and (pu.unit_id in (${units})) is true`;
}

function inGroups(groups: string, lasting: string) {
  return (person?: string) =>
    `with recursive below (group_id) as (${groups} union select n.child_group_id from below join nestings n on n.parent_group_id = below.group_id and n.${OPEN.replace(" and ", " and n.")})
      select m.person_id as id from below join memberships m using (group_id) where m.recorded_to is null and m.valid_to is null and ${lasting}${ofPerson("m.person_id", person)}`;
}

function withRole({ role, at }: { role: string; at: string }) {
  const held = `g.role_id = ${role}::uuid and g.recorded_to is null and g.valid @> ${at}::timestamptz`;
  return (person?: string) =>
    `(select g.person_id as id from grants g where ${held} and g.person_id is not null${ofPerson("g.person_id", person)})
      union all (with recursive below (group_id, seconds) as (
        select g.group_id, g.expires_after_seconds from grants g where ${held} and g.group_id is not null
        union select n.child_group_id, below.seconds from below join nestings n on n.parent_group_id = below.group_id and n.recorded_to is null and n.valid_to is null)
      select m.person_id from below join memberships m using (group_id) where m.recorded_to is null and m.valid_to is null
        and (below.seconds is null or m.valid_from + make_interval(secs => below.seconds) > ${at}::timestamptz)${ofPerson("m.person_id", person)})`;
}

/** LIKE's own signs stand for themselves. */
export function likePart(text: string): string {
  return text.replace(/[\\%_]/g, "\\$&");
}
