import type { Method, Route } from "./route.ts";

/** The route that a path below /api/v1 means, with the values of its parameters; one without parameters goes first. */
export function matchRoute(
  routes: readonly Route[],
  { method, path }: { method: Method; path: string },
): { route: Route; params: Record<string, string> } | undefined {
  const given = path.split("/");
  const found = routes
    .filter((route) => route.method === method)
    .flatMap((route) => {
      const params = paramsOf(route.path.split("/"), given);
      return params ? [{ route, params }] : [];
    });
  return found.sort((first, second) => Object.keys(first.params).length - Object.keys(second.params).length)[0];
}

function paramsOf(template: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (template.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of template.entries()) {
    const value = given[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined ? part !== value : value === "") return undefined;
    if (name !== undefined) params[name] = decoded(value);
  }
  return params;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded after all: it names nothing, as the route's own schema will say.
    return text;
  }
}
