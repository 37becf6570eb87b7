import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openDoor, type Door } from "./door.ts";

interface Attribute {
  name: string;
  type: string;
  description?: string;
  caseExact?: boolean;
  uniqueness?: string;
  mutability: string;
  returned: string;
  multiValued: boolean;
  required: boolean;
  canonicalValues?: string[];
  referenceTypes?: string[];
  subAttributes?: Attribute[];
}

let door: Door;
let base: string;
beforeAll(async () => {
  door = await openDoor();
  base = (await door.request("GET", "/ServiceProviderConfig")).body.meta.location.replace("/ServiceProviderConfig", "");
});
afterAll(() => door.close());

function every(attributes: readonly Attribute[]): Attribute[] {
  return attributes.flatMap((attribute) => [attribute, ...every(attribute.subAttributes ?? [])]);
}

describe("RFC 7643 sections 5 to 7, RFC 7644 section 4, RFC 9865 section 4: discovery", () => {
  test("ServiceProviderConfig is complete", async () => {
    const { body } = await door.request("GET", "/ServiceProviderConfig");
    expect(body).toEqual({
      schemas: ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
      patch: { supported: true },
      bulk: { supported: true, maxOperations: 1000, maxPayloadSize: 1024 * 1024 },
      filter: { supported: true, maxResults: 1000 },
      changePassword: { supported: false },
      sort: { supported: true },
      etag: { supported: true },
      pagination: {
        cursor: true,
        index: true,
        defaultPaginationMethod: "index",
        defaultPageSize: 100,
        maxPageSize: 1000,
        cursorTimeout: 3600,
      },
      authenticationSchemes: [
        { type: "oauthbearertoken", name: expect.any(String), description: expect.any(String), specUri: expect.any(String), primary: true },
      ],
      meta: { resourceType: "ServiceProviderConfig", location: `${base}/ServiceProviderConfig` },
    });
  });

  test("a client that may come with an issuer's tokens is told so", async () => {
    const oauth = { issuer: "https://issuer.example", audience: "rollcall", claims: { azp: "client" } };
    const { rows } = await door.db.pool.query(
      "insert into connections (name, connector, settings) values ('jwt', 'scim-inbound', $1) returning id",
      [JSON.stringify({ oauth })],
    );
    const { token } = await door.newToken({ connectionId: rows[0].id });
    const { body } = await door.request("GET", "/ServiceProviderConfig", { token });
    expect(body.authenticationSchemes.map(({ type }: { type: string }) => type)).toEqual(["oauthbearertoken", "oauth2"]);
  });

  test.each(["Schemas", "ResourceTypes"])("/%s is a list whose resources stand where they say", async (collection) => {
    const { body } = await door.request("GET", `/${collection}`);
    expect(body).toMatchObject({
      schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
      totalResults: body.Resources.length,
      itemsPerPage: body.Resources.length,
      startIndex: 1,
    });
    for (const resource of body.Resources) {
      expect(resource.meta.location).toBe(`${base}/${collection}/${resource.id}`);
      expect((await door.request("GET", `/${collection}/${resource.id}`)).body).toEqual(resource);
    }
  });

  test.each(["Schemas", "ResourceTypes", "ServiceProviderConfig"])(
    "/%s refuses a filter, and ignores paging, sorting and projections",
    async (path) => {
      const refused = await door.request("GET", `/${path}?filter=id pr`);
      expect([refused.status, refused.body.status]).toEqual([403, "403"]);
      const plain = await door.request("GET", `/${path}`);
      const asked = await door.request("GET", `/${path}?startIndex=2&count=1&sortBy=id&attributes=id`);
      expect(asked.body).toEqual(plain.body);
    },
  );

  test("every type's schema and extensions are among the schemas", async () => {
    const types = (await door.request("GET", "/ResourceTypes")).body.Resources as {
      schema: string;
      schemaExtensions?: { schema: string }[];
    }[];
    for (const urn of types.flatMap(({ schema, schemaExtensions = [] }) => [schema, ...schemaExtensions.map((each) => each.schema)])) {
      expect((await door.request("GET", `/Schemas/${urn}`)).status).toBe(200);
    }
  });

  test("what discovery answers is described by its own schemas, attribute by attribute", async () => {
    const listed = (await door.request("GET", "/Schemas")).body.Resources as { id: string; name: string; attributes: Attribute[] }[];
    const described = (name: string) => listed.find((schema) => schema.name === name)?.attributes;
    const undescribed = (value: unknown, attributes: readonly Attribute[] | undefined): string[] => {
      if (Array.isArray(value)) return value.flatMap((each) => undescribed(each, attributes));
      if (typeof value !== "object" || value === null) return [];
      return Object.entries(value).flatMap(([name, inner]) => {
        const found = attributes?.find((attribute) => attribute.name === name);
        return found ? undescribed(inner, found.subAttributes) : [name];
      });
    };
    const told = { ServiceProviderConfig: "ServiceProviderConfig", ResourceTypes: "ResourceType", Schemas: "Schema" };
    for (const [path, name] of Object.entries(told)) {
      const { body } = await door.request("GET", `/${path}`);
      const resources = (body.Resources ?? [body]) as { id?: string; schemas: string[] }[];
      expect(new Set(resources.flatMap(({ schemas }) => schemas))).toEqual(
        new Set(listed.filter((schema) => schema.name === name).map(({ id }) => id)),
      );
      const common = ["schemas", "meta"];
      // The schema of schemas is deeper than it says that a schema is (RFC 7643 section 8.7.2).
      for (const resource of resources.filter(({ id }) => id !== "urn:ietf:params:scim:schemas:core:2.0:Schema"))
        expect(
          undescribed(Object.fromEntries(Object.entries(resource).filter(([each]) => !common.includes(each))), described(name)),
        ).toEqual([]);
    }
  });

  test("every attribute is described in full, and by what we do", async () => {
    const schemas = (await door.request("GET", "/Schemas")).body.Resources as {
      id: string;
      name: string;
      description: string;
      attributes: Attribute[];
    }[];
    for (const { id, name, description, attributes } of schemas) {
      expect([id, name, description]).toEqual([expect.stringMatching(/^urn:/), expect.stringMatching(/./), expect.stringMatching(/./)]);
      for (const attribute of every(attributes)) {
        expect(attribute).toMatchObject({
          type: expect.stringMatching(/^(string|boolean|decimal|integer|dateTime|binary|reference|complex)$/),
          multiValued: expect.any(Boolean),
          required: expect.any(Boolean),
          mutability: expect.stringMatching(/^(readOnly|readWrite|immutable|writeOnly)$/),
          returned: expect.stringMatching(/^(always|never|default|request)$/),
          description: expect.stringMatching(/./),
        });
        if (attribute.type === "reference")
          expect(attribute).toMatchObject({
            caseExact: true,
            referenceTypes: [expect.any(String), ...(attribute.referenceTypes?.slice(1) ?? [])],
          });
        if (attribute.type === "binary") expect(attribute.caseExact).toBe(true);
        if (attribute.type === "boolean") expect([attribute.caseExact, attribute.uniqueness ?? "none"]).toEqual([undefined, "none"]);
        // RFC 7643 section 2.3.8; its own schema of schemas (section 8.7.2) is the one that is nested.
        if (attribute.type === "complex" && name !== "Schema")
          expect(attribute.subAttributes?.map(({ type }) => type)).not.toContain("complex");
        if (attribute.canonicalValues) expect(attribute.canonicalValues).not.toEqual([]);
      }
    }
  });

  test("canonical values are suggestions: a type that is none of them is kept", async () => {
    const { status, body } = await door.request("POST", "/Users", {
      body: {
        schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
        userName: "canonical",
        emails: [{ value: "a@example.com", type: "assistant" }],
        roles: [{ value: "clerk", type: "WindowsAzureActiveDirectoryRole", display: "Clerk", primary: true }],
        entitlements: [{ value: "parking", type: "place" }],
      },
    });
    expect([status, body.emails, body.roles, body.entitlements]).toEqual([
      201,
      [{ value: "a@example.com", type: "assistant" }],
      [{ value: "clerk", type: "WindowsAzureActiveDirectoryRole", display: "Clerk", primary: true }],
      [{ value: "parking", type: "place" }],
    ]);
    const found = await door.request("GET", '/Users?filter=roles[type eq "windowsazureactivedirectoryrole" and value eq "clerk"]');
    expect(found.body.totalResults).toBe(1);
  });
});
