import { expect } from "@jest/globals";

/** What came back, redirects not followed. */
export interface Answer {
  status: number;
  /** Where a redirect leads. */
  location: string | null;
  headers: Headers;
  text: string;
}

/** A browser as far as the login door can tell: it keeps cookies, and says where a form comes from. */
export interface Browser {
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a form of the page that was opened last, with its hidden fields. */
  submit(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Answer>;
  /** Sends what one of our scripts would. */
  json(path: string, body: Record<string, unknown>): Promise<Answer>;
  /** Follows redirects of ours until a page comes. */
  follow(answer: Answer): Promise<Answer>;
  /** The token of forms on the page that was opened last. */
  csrf(): string;
}

/** @param url where the application listens */
export function openBrowser(url: string, { userAgent = "Test browser" }: { userAgent?: string } = {}): Browser {
  const cookies = new Map<string, string>();
  let page = "";
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const headers = new Headers(init.headers);
    headers.set("User-Agent", userAgent);
    if (cookies.size > 0) headers.set("Cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const answer = await fetch(new URL(path, url), { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) keep(line);
    const text = await answer.text();
    if (answer.headers.get("content-type")?.startsWith("text/html")) page = text;
    return { status: answer.status, location: answer.headers.get("location"), headers: answer.headers, text };
  };
  const keep = (line: string) => {
    const [pair = "", ...attributes] = line.split("; ");
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    // What browsers ask of the prefix.
    expect(attributes).toEqual(expect.arrayContaining(["Path=/", "HttpOnly", "Secure"]));
    expect(name.startsWith("__Host-")).toBe(true);
    if (value === "") cookies.delete(name);
    else cookies.set(name, value);
  };
  const own = { Origin: new URL(url).origin, "Sec-Fetch-Site": "same-origin" };
  const csrf = () => /(?:name="csrf" value|data-csrf)="([^"]+)"/.exec(page)?.[1] ?? "";
  const browser: Browser = {
    cookies,
    csrf,
    get: (path, headers = {}) => call(path, { headers }),
    submit: (path, fields = {}, headers = {}) =>
      call(path, {
        method: "POST",
        headers: { "Content-Type": "application/x-www-form-urlencoded", ...own, ...headers },
        body: new URLSearchParams({ csrf: csrf(), ...fields }).toString(),
      }),
    json: (path, body) =>
      call(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...own },
        body: JSON.stringify({ csrf: csrf(), ...body }),
      }),
    async follow(answer) {
      let last = answer;
      for (let hops = 0; last.location?.startsWith("/") && hops < 10; hops += 1) last = await call(last.location, {});
      return last;
    },
  };
  return browser;
}
