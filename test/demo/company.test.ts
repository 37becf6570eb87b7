import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createCompany, personAt } from "../../demo/company.ts";
import { companyLdif, personDn } from "../../demo/ldif.ts";

const baseDn = "dc=nordhaven,dc=example";

async function ldifOf(options: Parameters<typeof createCompany>[0]): Promise<string> {
  let text = "";
  for await (const chunk of companyLdif(createCompany(options), { baseDn })) text += chunk;
  return text;
}

describe("the made-up company", () => {
  test("is the same every time, and another with another seed", async () => {
    const options = { people: 120, groups: 70 };
    expect(await ldifOf(options)).toBe(await ldifOf(options));
    expect(await ldifOf({ ...options, seed: 1 })).not.toBe(await ldifOf(options));
  });

  test("has a login of its own for everybody, however big it is", () => {
    const company = createCompany({ people: 30_000, groups: 1, organised: false });
    const logins = new Set(Array.from({ length: company.people }, (_, index) => personAt(company, index).uid));
    expect(logins.size).toBe(30_000);
    for (const login of logins) expect(login).toMatch(/^[a-z]+\.[a-z]+\d*$/);
  });

  test("a person is the same in companies of all sizes", () => {
    fc.assert(
      fc.property(fc.nat(999), (index) => {
        const [small, big] = [
          createCompany({ people: 1000, groups: 1, organised: false }),
          createCompany({ people: 5000, groups: 2, organised: false }),
        ];
        expect(personAt(small, index)).toEqual(personAt(big, index));
      }),
      { numRuns: 20 },
    );
  });

  test("names only members and managers that exist, and its groups have members", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 90 }), fc.boolean(), (people, groups, organised) => {
        const company = createCompany({ people, groups, organised });
        expect(company.groupList).toHaveLength(groups);
        for (const group of company.groupList) {
          expect(group.people.length + group.groups.length).toBeGreaterThan(0);
          expect([...group.people].every((index) => index < people)).toBe(true);
          expect(group.groups.every((index) => index < group.index)).toBe(true);
        }
        for (let index = 1; index < people; index++) expect(personAt(company, index).manager).toBeLessThan(index);
      }),
      { numRuns: 30 },
    );
  });

  test("writes names with marks in base64, and people below their units", async () => {
    const company = createCompany({ people: 40, groups: 1, organised: false });
    const person = Array.from({ length: 40 }, (_, index) => personAt(company, index)).find(({ unit }) => /[^\x20-\x7e]/.test(unit.name));
    if (!person) throw new Error("there is nobody in Kraków");
    const dn = personDn(person, baseDn);
    expect(dn).toMatch(/^uid=[a-z.]+,ou=[^,]+,ou=[^,]+,ou=Nordhaven Keys,ou=units,dc=nordhaven,dc=example$/);
    expect(await ldifOf({ people: 40, groups: 1, organised: false })).toContain(`dn:: ${Buffer.from(dn).toString("base64")}\n`);
  });
});
