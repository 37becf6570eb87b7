import { request } from "undici";

export interface BareCount {
  /** People, groups and units. */
  records: number;
  members: number;
  /** The sign-in included. */
  requests: number;
}

export interface Fetched {
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Record<string, unknown>;
}

/** One GET, its whole answer as JSON, nothing looked at. Throws for anything but 200: a peer that reads less would be faster. */
export async function fetchJson(url: string, headers: Readonly<Record<string, string>>): Promise<Fetched> {
  const answer = await request(url, { headers: { ...headers } });
  if (answer.statusCode !== 200) throw new Error(`${url} answered ${answer.statusCode}: ${await answer.body.text()}`);
  return { headers: answer.headers, body: JSON.parse(await answer.body.text()) as Record<string, unknown> };
}

export async function signIn(url: string, form: Readonly<Record<string, string>>): Promise<{ authorization: string }> {
  const answer = await request(url, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(form).toString(),
  });
  const { access_token: token } = (await answer.body.json()) as { access_token?: string };
  if (token === undefined) throw new Error(`${url} gave no token (${answer.statusCode}).`);
  return { authorization: `Bearer ${token}` };
}

export function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}
