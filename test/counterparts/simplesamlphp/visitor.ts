/** A form as a page holds it. */
export interface Form {
  action: string;
  fields: Record<string, string>;
}

/** What the identity provider led the browser to: a form for us, or an address of ours. */
export interface Leaving {
  form?: Form;
  address?: string;
  /** Nowhere yet: it wants name and password. */
  asks?: true;
}

/** Somebody's browser at the identity provider: cookies, redirects and forms, until it is led away from there. */
export function openVisitor(home: string) {
  const cookies = new Map<string, string>();
  const own = (url: string) => new URL(url).origin === new URL(home).origin;

  async function call(url: string, init: RequestInit = {}): Promise<{ text: string; url: string; leaving?: string }> {
    const headers = new Headers(init.headers);
    headers.set("Cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const answer = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const location = answer.headers.get("location");
    if (location === null) return { text: await answer.text(), url };
    const next = new URL(location, url).href;
    return own(next) ? call(next) : { text: "", url, leaving: next };
  }

  /** Goes on from a page: through the sign-in form with name and password, and every form that sends itself. */
  async function goOn(
    page: { text: string; url: string; leaving?: string },
    credentials?: { username: string; password: string },
  ): Promise<Leaving> {
    if (page.leaving !== undefined) return { address: page.leaving };
    const form = formOf(page);
    if (form === undefined)
      throw new Error(`the identity provider shows no form: ${page.text.replaceAll(/<[^>]+>|\s+/g, " ").slice(0, 800)}`);
    if (!own(form.action)) return { form };
    // What the field of the name is called there.
    const name = ["username", "user"].find((each) => each in form.fields);
    const asks = name !== undefined;
    if (asks && !credentials) return { asks };
    const proof: Record<string, string> = asks && credentials ? { [name]: credentials.username, password: credentials.password } : {};
    const fields = { ...form.fields, ...proof };
    const next = await call(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(fields).toString(),
    });
    // Whom it refuses it asks again.
    return goOn(next, asks ? undefined : credentials);
  }

  return {
    /** Opens an address, and goes on until the identity provider leads elsewhere. */
    visit: async (url: string, credentials?: { username: string; password: string }): Promise<Leaving> =>
      goOn(await call(url), credentials),
    /** Sends a form of another site there, and goes on. */
    send: async ({ action, fields }: Form, credentials?: { username: string; password: string }): Promise<Leaving> =>
      goOn(
        await call(action, {
          method: "POST",
          headers: { "Content-Type": "application/x-www-form-urlencoded" },
          body: new URLSearchParams(fields).toString(),
        }),
        credentials,
      ),
  };
}

/** The form on a page, if there is one. */
export function formOf({ text, url }: { text: string; url: string }): Form | undefined {
  const html = /<form[^>]*>[\s\S]*?<\/form>/i.exec(text)?.[0];
  if (html === undefined) return undefined;
  const action = new URL(decoded(/<form[^>]*\saction="([^"]*)"/i.exec(html)?.[1] ?? ""), url).href;
  const inputs = [...html.matchAll(/<input[^>]*>/gi)].map(([tag]) => [
    /\sname="([^"]*)"/i.exec(tag)?.[1],
    decoded(/\svalue="([^"]*)"/i.exec(tag)?.[1] ?? ""),
  ]);
  return { action, fields: Object.fromEntries(inputs.filter(([name]) => name !== undefined)) as Record<string, string> };
}

function decoded(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll(/&#0?39;/g, "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
