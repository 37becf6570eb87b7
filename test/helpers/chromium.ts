import { existsSync } from "node:fs";
import path from "node:path";
import { chromium, type Page } from "playwright-core";
import { projectFolder } from "../../src/db/folder.ts";

/** The one without windows, menus and services of its own takes a third of the processor time for the same pages. */
const EXECUTABLES = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const ARGUMENTS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
/** A busy machine needs it; nothing waits so long that comes. */
const LONGEST_WAIT_MS = 60_000;
/** What Chromium says of an answer that a page of ours gives to whoever did something wrong. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4(01|03|09|22) /;

export interface VisitorOptions {
  /** What the browser asks for in Accept-Language. */
  language?: string;
  javaScript?: boolean;
  dark?: boolean;
  headers?: Record<string, string>;
  userAgent?: string;
}

/** Debian's Chromium. */
export interface Chromium {
  /** A browser of somebody's own, as narrow as a small telephone: nothing is shared with the others. */
  visitor(options?: VisitorOptions): Promise<Page>;
  /** What was wrong with pages of ours, by Chromium's word and by page-inspection.js; each told once. */
  complaints(): string[];
  close(): Promise<void>;
}

/** False, after saying why, where there is no Chromium: those tests are then skipped. */
export function chromiumIsHere(): boolean {
  if (EXECUTABLES.some((each) => existsSync(each))) return true;
  process.stderr.write("The tests in a browser are skipped: Chromium is not installed (sudo node scripts/counterparts.mjs).\n");
  return false;
}

/** @param own where pages of ours are; nobody else's are complained about */
export async function openChromium(own: string): Promise<Chromium> {
  const executablePath = EXECUTABLES.find((each) => existsSync(each));
  if (!executablePath) throw new Error(`There is no Chromium at ${EXECUTABLES.join(" or ")}.`);
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  const complaints: string[] = [];
  const isOurs = (text: string) => text.startsWith(`${own}/`);
  return {
    async visitor({ language = "en", javaScript = true, dark = false, headers = {}, userAgent } = {}) {
      const context = await browser.newContext({
        locale: language,
        javaScriptEnabled: javaScript,
        colorScheme: dark ? "dark" : "light",
        viewport: { width: 320, height: 640 },
        extraHTTPHeaders: headers,
        ...(userAgent === undefined ? {} : { userAgent }),
      });
      context.setDefaultTimeout(LONGEST_WAIT_MS);
      if (javaScript) await context.addInitScript({ path: path.join(projectFolder(), "test/helpers/page-inspection.js") });
      const page = await context.newPage();
      page.on("console", (said) => {
        // What the inspection says names the page itself; what Chromium says stands at an address.
        const { url } = said.location();
        const ours = isOurs(said.text()) || isOurs(url === "" ? page.url() : url);
        if (said.type() === "error" && ours && !REFUSED.test(said.text())) complaints.push(`${said.text()} (${url})`);
      });
      page.on("pageerror", (error) => {
        if (isOurs(page.url())) complaints.push(String(error));
      });
      return page;
    },
    complaints: () => complaints.splice(0),
    close: () => browser.close(),
  };
}
