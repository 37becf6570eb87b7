import type { ServerResponse } from "node:http";
import path from "node:path";
import { Router, static as files, type RequestHandler } from "express";
import { projectFolder } from "../../db/folder.ts";
import { pagePolicy } from "../middleware/security-headers.ts";
import { accountFactorRoutes } from "./account-factors.ts";
import { accountRoutes } from "./account.ts";
import { changedAddressRoutes } from "./changed-address.ts";
import { enrolRoutes } from "./enrol.ts";
import { noticesRoutes } from "./notices.ts";
import { oidcRoutes } from "./oidc.ts";
import { oidcSignOut } from "./oidc-sign-out.ts";
import { forgotRoutes } from "./forgot.ts";
import { linkRoutes } from "./link.ts";
import type { LoginOptions } from "./options.ts";
import { samlRoutes } from "./saml.ts";
import { samlSignOut } from "./saml-sign-out.ts";
import { passwordChangeRoutes } from "./password-change.ts";
import { passkeyRoutes } from "./passkey.ts";
import { secondFactorRoutes } from "./second-factor.ts";
import { signInRoutes } from "./sign-in.ts";
import { signOutRoutes } from "./sign-out.ts";
import { stepUpRoutes } from "./step-up.ts";
import { unsubscribeRoutes } from "./unsubscribe.ts";

/** The parts of the door: a line each. */
const PARTS: readonly ((options: LoginOptions) => Router)[] = [
  signInRoutes,
  passkeyRoutes,
  secondFactorRoutes,
  enrolRoutes,
  stepUpRoutes,
  accountRoutes,
  accountFactorRoutes,
  linkRoutes,
  changedAddressRoutes,
  forgotRoutes,
  passwordChangeRoutes,
  noticesRoutes,
  unsubscribeRoutes,
  (options) => signOutRoutes(options, [oidcSignOut, samlSignOut]),
  oidcRoutes,
  samlRoutes,
];

/** Where people sign in and steer their own account: /login, /logout, /account and the addresses that identity providers send them to. Cookies only. */
export function createLoginDoor(options: LoginOptions): Router {
  const router = Router({ caseSensitive: true });
  router.use(pagePolicy());
  router.get("/", toAccount);
  router.use(
    "/login/public",
    files(path.join(projectFolder(), "src/http/login/public"), {
      index: false,
      redirect: false,
      setHeaders: keepAnHour,
      fallthrough: false,
    }),
  );
  for (const part of PARTS) router.use(part(options));
  return router;
}

const toAccount: RequestHandler = (_request, response) => response.redirect(302, "/account");

function keepAnHour(response: ServerResponse): void {
  response.setHeader("Cache-Control", "public, max-age=3600");
}
