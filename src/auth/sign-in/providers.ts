import { z } from "zod";
import type { Sql } from "../../db/database.ts";

/** An identity provider that people may choose on the sign-in page. */
export interface SignInProvider {
  name: string;
  kind: "saml" | "oidc";
  /** What the button says. */
  title: string;
  /** E-mail domains whose people are led there, in lower case. */
  domains: readonly string[];
  /** Whether it stands on the page for everybody. */
  listed: boolean;
}

const shownSettings = z.object({
  title: z.string().optional(),
  domains: z.array(z.string()).default([]),
  listed: z.boolean().default(true),
});

/** The enabled connections by which people sign in, by title. */
export async function signInProviders(sql: Sql): Promise<SignInProvider[]> {
  const { rows } = await sql.query<{ name: string; kind: "saml" | "oidc"; settings: unknown }>(
    "select name, connector as kind, settings from connections where connector in ('saml', 'oidc') and enabled order by name",
  );
  return rows
    .map(({ name, kind, settings }) => {
      const { title = name, domains, listed } = shownSettings.parse(settings);
      return { name, kind, title, domains: domains.map((domain) => domain.toLowerCase()), listed };
    })
    .toSorted((one, other) => one.title.localeCompare(other.title, "en"));
}

/** The provider to which the people of an address's domain are led. Pure. */
export function providerOf(name: string, providers: readonly SignInProvider[]): SignInProvider | undefined {
  const domain = /@([^@\s]+)$/.exec(name.trim())?.[1]?.toLowerCase();
  return domain === undefined ? undefined : providers.find(({ domains }) => domains.includes(domain));
}
