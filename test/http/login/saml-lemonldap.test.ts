import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { freePort } from "../../../src/db/free-port.ts";
import { newKeys } from "../../auth/saml/signer.ts";
import {
  LEMONLDAP_PACKAGES,
  lemonLdapInstalled,
  lemonLdapMetadata,
  startLemonLdap,
  type LemonLdap,
} from "../../counterparts/lemonldap/server.ts";
import { openVisitor, type Leaving } from "../../counterparts/simplesamlphp/visitor.ts";
import type { Answer, Browser } from "./browser.ts";
import { openLogin, type LoginDoor } from "./login-door.ts";
import { addSaml, begin, ownMetadataOf, post } from "./saml-door.ts";

const title = lemonLdapInstalled() ? "LemonLDAP::NG" : `LemonLDAP::NG, which is not installed here (apt-get install ${LEMONLDAP_PACKAGES})`;

(lemonLdapInstalled() ? describe : describe.skip)(title, () => {
  let door: LoginDoor;
  let provider: LemonLdap;
  let home: string;

  beforeAll(async () => {
    door = await openLogin();
    const port = await freePort();
    home = `http://127.0.0.1:${port}`;
    await addSaml(door, { name: "lemon", settings: { metadataUrl: lemonLdapMetadata(port) } });
    const { xml } = await ownMetadataOf(door, "lemon");
    provider = await startLemonLdap({ port, keys: newKeys("identity provider"), serviceProvider: xml });
  });
  afterAll(async () => {
    await provider?.stop();
    await door?.close();
  });

  test("G4, G6: signs in whom it knows, and is told who signs out, our messages signed", async () => {
    const [browser, visitor] = [door.browser(), openVisitor(home)];
    const asked = await begin(browser, "lemon");
    const arriving = await visitor.visit(asked.url.href, { username: "dwho", password: "dwho" });
    expect((await browser.follow(await bring(browser, arriving))).text).toContain("You are signed in as dwho.");
    await browser.get("/account");
    const out = await browser.get((await browser.submit("/logout")).location ?? "");
    const left = await visitor.visit(/^0; url=(.+)$/.exec(out.headers.get("refresh") ?? "")?.[1] ?? "");
    expect((await bring(browser, left)).location).toBe("/login");
    const { url } = await begin(browser, "lemon");
    expect(await visitor.visit(url.href)).toEqual({ asks: true });
  });
});

/** Takes to us what the identity provider sent the browser away with, by whichever binding. */
async function bring(browser: Browser, { form, address }: Leaving): Promise<Answer> {
  if (form) return post(browser, form.action, form.fields);
  const { pathname, search } = new URL(address ?? "");
  return browser.get(`${pathname}${search}`);
}
