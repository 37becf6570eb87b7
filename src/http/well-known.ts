import type { Express } from "express";
import type { Config } from "../config.ts";

export interface WellKnownOptions {
  http: Pick<Config["http"], "publicUrl"> & Partial<Pick<Config["http"], "security">>;
  now: () => Date;
}

/** RFC 9116 section 2.5.5 wants less than a year; it is made anew at each request. */
const GOOD_FOR_DAYS = 180;

/** security.txt (RFC 9116), once the operator has said whom to tell; and where browsers and password managers lead people to change theirs. */
export function wellKnownRoutes(app: Express, { http, now }: WellKnownOptions): void {
  app.get("/.well-known/security.txt", (_request, response, next) => {
    const text = securityText({ http, now: now() });
    if (text === undefined) return next();
    response.type("text/plain; charset=utf-8").send(text);
  });
  app.get("/.well-known/change-password", (_request, response) => response.redirect(302, "/account/password"));
}

/** The file's text; undefined without a contact, which it must have (section 2.5.3). Pure. */
export function securityText({ http: { publicUrl, security }, now }: { http: WellKnownOptions["http"]; now: Date }): string | undefined {
  if (!security || security.contacts.length === 0) return undefined;
  const expires = new Date(now.getTime() + GOOD_FOR_DAYS * 86_400_000).toISOString().replace(/\.\d+Z$/, "Z");
  const lines = [
    ...security.contacts.map((contact) => `Contact: ${contact}`),
    `Expires: ${expires}`,
    ...(security.languages.length > 0 ? [`Preferred-Languages: ${security.languages.join(", ")}`] : []),
    ...(publicUrl === undefined ? [] : [`Canonical: ${publicUrl.replace(/\/+$/, "")}/.well-known/security.txt`]),
    ...(security.policy === undefined ? [] : [`Policy: ${security.policy}`]),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}
