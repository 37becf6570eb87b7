import type { Page } from "playwright-core";
import { PASSWORD } from "../../http/login/login-door.ts";

/** Presses a button, or follows a link that looks like one. */
export async function press(page: Page, name: string): Promise<void> {
  await page
    .getByRole("button", { name, exact: true })
    .or(page.getByRole("link", { name, exact: true }))
    .first()
    .click();
}

/** Fills in fields by what they are called on the page. */
export async function fill(page: Page, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
}

/** From the first page to whatever follows the password. */
export async function enterPassword(page: Page, { url, name, password = PASSWORD }: { url: string; name: string; password?: string }) {
  await page.goto(`${url}/login`);
  await fill(page, { "User name or e-mail address": name });
  await press(page, "Continue");
  await fill(page, { Password: password });
  await press(page, "Sign in");
}

/** Waits for a page of ours, by its heading. */
export async function arrived(page: Page, heading: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
}

/** Waits for a text on the page. */
export async function reads(page: Page, text: string): Promise<void> {
  await page.getByText(text).first().waitFor();
}
