/** Google's partial responses: `kind,nextPageToken,users(id,name/givenName)` leaves nothing else in an answer. */
export function partial(value: unknown, fields: string | null): unknown {
  return fields === null || fields === "*" ? value : select(value, parse(fields));
}

type Mask = Map<string, Mask | null>;

function parse(fields: string): Mask {
  let at = 0;
  const list = (): Mask => {
    const mask: Mask = new Map();
    for (;;) {
      const name = /^[A-Za-z_*][\w*]*/.exec(fields.slice(at))?.[0];
      if (name === undefined) throw new Error(`invalid field selection at ${at}`);
      at += name.length;
      let inner: Mask | null = null;
      if (fields[at] === "/") {
        at += 1;
        const name2 = /^[A-Za-z_*][\w*]*/.exec(fields.slice(at))?.[0] ?? "";
        at += name2.length;
        inner = new Map([[name2, null]]);
      } else if (fields[at] === "(") {
        at += 1;
        inner = list();
        if (fields[at] !== ")") throw new Error("invalid field selection: ) is missing");
        at += 1;
      }
      mask.set(name, inner);
      if (fields[at] !== ",") return mask;
      at += 1;
    }
  };
  const mask = list();
  if (at !== fields.length) throw new Error(`invalid field selection at ${at}`);
  return mask;
}

function select(value: unknown, mask: Mask): unknown {
  if (Array.isArray(value)) return value.map((each) => select(each, mask));
  if (typeof value !== "object" || value === null) return value;
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of mask) {
    const found = (value as Record<string, unknown>)[name];
    if (found !== undefined) kept[name] = inner === null ? found : select(found, inner);
  }
  return kept;
}
