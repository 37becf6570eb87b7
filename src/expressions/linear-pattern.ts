/** V8's engine that never goes back takes repetitions up to this number only; those that stand in each other are multiplied. */
const MOST_COPIES = 16;

/** A pattern that grows beyond this repeats too much: what it is compiled to grows with it. */
const LONGEST_FORM = 20_000;

interface Part {
  text: string;
  /** How often the innermost of it is repeated. */
  copies: number;
}

interface Quantifier {
  least: number;
  /** Infinity: without end. */
  most: number;
  lazy: string;
}

/**
 * The same pattern, as far as whether it matches goes, in which nothing is repeated more often than the engine that never goes back
 * takes: `a{20}` is `a{16}a{4}`. Groups keep nothing. Of what it does not know, or what would grow too long, it gives undefined. Pure.
 */
export function linearForm(pattern: string, mostCopies = MOST_COPIES): string | undefined {
  const form = readAlternatives({ pattern, at: 0, mostCopies });
  return form?.end === pattern.length ? form.part.text : undefined;
}

interface Place {
  pattern: string;
  at: number;
  mostCopies: number;
}

interface Read {
  part: Part;
  /** Where the next begins. */
  end: number;
}

/** Up to the end of the pattern, or of the group. */
function readAlternatives(place: Place): Read | undefined {
  const { pattern, mostCopies } = place;
  let [text, copies, end] = ["", 1, place.at];
  while (end < pattern.length && pattern[end] !== ")") {
    if (pattern[end] === "|") {
      text += "|";
      end += 1;
      continue;
    }
    const atom = readAtom({ ...place, at: end });
    if (!atom) return undefined;
    const quantifier = readQuantifier({ ...place, at: atom.end });
    const part = quantifier ? repeated(atom.part, { ...quantifier, mostCopies }) : atom.part;
    if (!part || text.length + part.text.length > LONGEST_FORM) return undefined;
    text += part.text;
    copies = Math.max(copies, part.copies);
    end = quantifier?.end ?? atom.end;
  }
  return { part: { text, copies }, end };
}

const GROUP = /\((?:\?:|\?<[^=!>][^>]*>|(?!\?))/y;
/** A class, an escape with all that belongs to it, or a character. */
const SINGLE = /\[(?:\\[^]|[^\]\\])*\]|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|c[A-Za-z]|0[0-7]{0,2}|[^])|[^()\\]/y;

function readAtom(place: Place): Read | undefined {
  const { pattern, at } = place;
  const group = matchAt(GROUP, place);
  if (group !== undefined) {
    const inner = readAlternatives({ ...place, at: at + group.length });
    if (!inner || pattern[inner.end] !== ")") return undefined;
    return { part: { text: `(?:${inner.part.text})`, copies: inner.part.copies }, end: inner.end + 1 };
  }
  const text = matchAt(SINGLE, place);
  return text === undefined ? undefined : { part: { text, copies: 1 }, end: at + text.length };
}

const QUANTIFIER = /([*+?]|\{(\d+)(,(\d*))?\})\??/y;

function readQuantifier(place: Place): (Quantifier & { end: number }) | undefined {
  const text = matchAt(QUANTIFIER, place);
  if (text === undefined) return undefined;
  const end = place.at + text.length;
  const lazy = /[*+?}]\?$/.test(text) ? "?" : "";
  if (text.startsWith("{")) {
    const [least = 0, most = least] = text.split(",").map((number) => Number(/\d+/.exec(number)?.[0] ?? Infinity));
    return { least, most, lazy, end };
  }
  return { least: text.startsWith("+") ? 1 : 0, most: text.startsWith("?") ? 1 : Infinity, lazy, end };
}

/** One piece after another, each with as many copies as are still allowed. */
function repeated({ text, copies }: Part, { least, most, lazy, mostCopies }: Quantifier & Pick<Place, "mostCopies">): Part | undefined {
  const allowed = Math.max(1, Math.floor(mostCopies / copies));
  const optional = most === Infinity ? 0 : most - least;
  if (((least + optional) / allowed) * text.length > LONGEST_FORM) return undefined;
  const needed = pieces(least, allowed).map((count) => `${text}{${count}}${lazy}`);
  const further = most === Infinity ? [`${text}*${lazy}`] : pieces(optional, allowed).map((count) => `${text}{0,${count}}${lazy}`);
  // Without anything in its place, what stands around `a{0}` would come together, and could mean something else: `x{a{0}1}`.
  return { text: [...needed, ...further].join("") || "(?:)", copies: copies * Math.min(allowed, Math.max(1, least, optional)) };
}

function pieces(count: number, allowed: number): number[] {
  const whole = Array.from({ length: Math.floor(count / allowed) }, () => allowed);
  return count % allowed === 0 ? whole : [...whole, count % allowed];
}

function matchAt(expression: RegExp, { pattern, at }: Place): string | undefined {
  expression.lastIndex = at;
  return expression.exec(pattern)?.[0];
}
