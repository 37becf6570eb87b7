import { codeAt, externalIdAt, userAt, workEmailAt } from "../directory.ts";
import { expectEqual, record, somebody, type Operation, type Sent, type Target } from "../operation.ts";

const BOTH = [1, 16];
const search = (filter: string): Sent => ({ method: "GET", path: `/Users?filter=${encodeURIComponent(filter)}` });

const get: Operation = {
  key: "get",
  title: "GET one by id",
  turns: ["GET one by id"],
  concurrency: BOTH,
  request: (target, number) => ({ method: "GET", path: `/Users/${target.users[somebody(target, number)]}` }),
  check(target, number, { body }) {
    const index = somebody(target, number);
    const user = record(body);
    expectEqual("id", user["id"], target.users[index]);
    expectEqual("userName", user["userName"], userAt(target.directory.company, index).userName);
    expectEqual("emails", JSON.stringify(user["emails"])?.includes(workEmailAt(target.directory.company, index)), true);
  },
};

/** A filter that means one person. */
function findsOne(key: string, title: string, filterFor: (target: Target, index: number) => string): Operation {
  return {
    key,
    title,
    turns: [title],
    concurrency: BOTH,
    request: (target, number) => search(filterFor(target, somebody(target, number))),
    check(target, number, { body }) {
      const list = record(body);
      expectEqual("totalResults", list["totalResults"], 1);
      expectEqual("id", resourcesOf(list)[0]?.["id"], target.users[somebody(target, number)]);
    },
  };
}

const modified: Operation = {
  key: "modified",
  title: "meta.lastModified gt, few results",
  turns: ["meta.lastModified gt, few results"],
  concurrency: BOTH,
  request: ({ since }) => search(`meta.lastModified gt "${since}"`),
  check(target, _number, { body }) {
    const list = record(body);
    expectEqual("totalResults", list["totalResults"], target.changed);
    expectEqual("Resources", resourcesOf(list).length, target.changed);
  },
};

export function resourcesOf(list: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>[] {
  return Array.isArray(list["Resources"]) ? list["Resources"].map(record) : [];
}

export const READS: readonly Operation[] = [
  get,
  findsOne("username", "userName eq", ({ directory }, index) => `userName eq "${userAt(directory.company, index).userName}"`),
  findsOne("external", "externalId eq", (_target, index) => `externalId eq "${externalIdAt(index)}"`),
  modified,
  findsOne(
    "email",
    'emails[type eq "work" and value eq]',
    ({ directory }, index) => `emails[type eq "work" and value eq "${workEmailAt(directory.company, index)}"]`,
  ),
  findsOne(
    "email-part",
    'emails[type eq "work" and value co]',
    (_target, index) => `emails[type eq "work" and value co "q${codeAt(index)}@"]`,
  ),
];
