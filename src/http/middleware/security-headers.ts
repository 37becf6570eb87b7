import { ServerResponse, type IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import helmet from "helmet";

/** Answers for programs load nothing, lead nowhere and stand in no frame. */
const FOR_PROGRAMS = policy({});
/** Pages load what is ours and send their forms to us. The pictures of enrolment codes stand in the page itself. */
const FOR_PAGES = policy({
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "data:"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
});
/** Pages that are only read. */
const FOR_DOCUMENTS = policy({ styleSrc: ["'self'"] });

/** What pages have no use for; passkeys are ours alone. */
const PERMISSIONS = [
  ...["accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone"],
  ...["midi", "payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"],
]
  .map((feature) => `${feature}=()`)
  .concat("publickey-credentials-create=(self)", "publickey-credentials-get=(self)")
  .join(", ");

const YEAR_SECONDS = 365 * 24 * 60 * 60;

/**
 * helmet's headers, with the policy for answers to programs. They are the same for every answer, and fourteen middlewares a request to
 * say so cost as much as a query: helmet is asked once, and what it says is kept. Nothing is kept by browsers and proxies unless a route
 * says so itself.
 * @param https whether this server is reached by https: browsers are then told to come by nothing else
 */
export function securityHeaders({ https = false }: { https?: boolean } = {}): RequestHandler {
  const kept = headersOf(
    helmet({
      contentSecurityPolicy: false,
      xFrameOptions: { action: "deny" },
      strictTransportSecurity: https ? { maxAge: YEAR_SECONDS, includeSubDomains: false } : false,
    }),
  );
  kept.push(["Content-Security-Policy", FOR_PROGRAMS], ["Permissions-Policy", PERMISSIONS], ["Cache-Control", "no-store"]);
  return (_request, response, next) => {
    for (const [name, value] of kept) response.setHeader(name, value);
    next();
  };
}

/**
 * The policy of a door that answers with pages; a page that needs another one sets it itself. Without any referrer browsers would say
 * `Origin: null` of our own forms, which is what other sites' look like.
 */
export function pagePolicy(kind: "pages" | "documents" = "pages"): RequestHandler {
  const value = kind === "pages" ? FOR_PAGES : FOR_DOCUMENTS;
  return (_request, response, next) => {
    response.setHeader("Content-Security-Policy", value);
    response.setHeader("Referrer-Policy", "same-origin");
    next();
  };
}

function policy(directives: Readonly<Record<string, readonly string[]>>): string {
  const all = { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"], ...directives };
  return Object.entries(all)
    .map(([name, sources]) => `${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${sources.join(" ")}`)
    .join("; ");
}

function headersOf(handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void): [string, string][] {
  const request = { method: "GET", headers: {} } as IncomingMessage;
  const response = new ServerResponse(request);
  handler(request, response, () => undefined);
  return Object.entries(response.getHeaders()).map(([name, value]) => [name, String(value)]);
}
