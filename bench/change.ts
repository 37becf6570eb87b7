import { Attribute, Change, Client } from "ldapts";
import { personAt, type Company } from "../demo/company.ts";
import { personDn } from "../demo/ldif.ts";
import type { Slapd } from "../demo/slapd.ts";

export interface PeopleChange {
  company: Company;
  slapd: Pick<Slapd, "url" | "adminDn" | "adminPassword" | "baseDn">;
  count: number;
  /** What they become: "senior". */
  grade: string;
}

/** Changes the title of `count` people, spread over the company, as an administrator would: one modify each. */
export async function changePeople({ company, slapd, count, grade }: PeopleChange): Promise<number> {
  const client = new Client({ url: slapd.url });
  await client.bind(slapd.adminDn, slapd.adminPassword);
  try {
    const step = company.people / count;
    for (let number = 0; number < count; number++) {
      const person = personAt(company, Math.floor(number * step));
      await client.modify(
        personDn(person, slapd.baseDn),
        new Change({ operation: "replace", modification: new Attribute({ type: "title", values: [`${person.title}, ${grade}`] }) }),
      );
    }
    return count;
  } finally {
    await client.unbind();
  }
}
