import { groupOf, PATCH_OP } from "../directory.ts";
import { expectEqual, record, type Operation, type Sent, type Target } from "../operation.ts";

const BIG = 10_000;

function groupId(target: Target, size: number): string {
  return target.groups[groupOf(target.directory, size)] ?? "";
}

/** People who are in no group. */
function joiner(target: Target, number: number): string {
  const { people, batch } = target.directory;
  return target.users[people - batch + (number % batch)] ?? "";
}

function patch(target: Target, size: number, operations: readonly object[]): Sent {
  return { method: "PATCH", path: `/Groups/${groupId(target, size)}`, body: { schemas: [PATCH_OP], Operations: operations } };
}

function sizeOf(target: Target, size: number): number {
  return target.directory.groups[groupOf(target.directory, size)]?.size ?? 0;
}

/** Who changes a group may be shown it: then it must be right. */
function checkCount(body: unknown, wanted: number): void {
  if (body !== undefined) expectEqual("members", membersOf(body).length, wanted);
}

function membersOf(body: unknown): readonly unknown[] {
  const { members } = record(body);
  return Array.isArray(members) ? members : [];
}

/** One joins, the same one leaves: the group stays as big as it was. */
function oneMember(size: number, smaller?: number): Operation {
  const count = size.toLocaleString("en");
  return {
    key: `member-${size}`,
    title: `1 member in a group of ${count}`,
    turns: [`add 1 member to ${count}`, `remove 1 member from ${count}`],
    concurrency: [1],
    oursOnly: size > BIG,
    // In a small directory the bigger groups are one and the same.
    prepare: (target) => Promise.resolve(smaller === undefined || sizeOf(target, size) > sizeOf(target, smaller)),
    request(target, number) {
      const value = joiner(target, Math.floor(number / 2));
      return number % 2 === 0
        ? patch(target, size, [{ op: "add", path: "members", value: [{ value }] }])
        : patch(target, size, [{ op: "remove", path: `members[value eq "${value}"]` }]);
    },
    check: (target, number, { body }) => checkCount(body, sizeOf(target, size) + (number % 2 === 0 ? 1 : 0)),
    verify: (target) => provedThere(target, { operation: oneMember(size), size, count: 1 }),
  };
}

/** A thousand join in one request, and leave in one: named in a list, or by a value path each, the one form that RFC 7644 gives. */
function manyMembers(form: "list" | "paths"): Operation {
  const turns = { list: ["add 1,000 members", "remove 1,000 members"], paths: ["add 1,000 members again", "remove 1,000 by paths"] }[form];
  const operation: Operation = {
    key: form === "list" ? "members-1000" : "members-1000-paths",
    title: `1,000 members in a group of 10,000, removed by ${form === "list" ? "a list" : "value paths"}`,
    turns,
    concurrency: [1],
    // Others look through the group for each of a thousand paths: a quarter of an hour.
    oursOnly: form === "paths",
    request(target, number) {
      const ids = Array.from({ length: target.directory.batch }, (_, index) => joiner(target, index));
      const value = ids.map((id) => ({ value: id }));
      if (number % 2 === 0) return patch(target, BIG, [{ op: "add", path: "members", value }]);
      return form === "list"
        ? patch(target, BIG, [{ op: "remove", path: "members", value }])
        : patch(
            target,
            BIG,
            ids.map((id) => ({ op: "remove", path: `members[value eq "${id}"]` })),
          );
    },
    check: (target, number, { body }) => checkCount(body, sizeOf(target, BIG) + (number % 2 === 0 ? target.directory.batch : 0)),
    verify: (target) => provedThere(target, { operation, size: BIG, count: target.directory.batch }),
  };
  return operation;
}

/** Goes through both turns once more and counts the members after each. */
async function provedThere(
  target: Target,
  { operation, size, count }: { operation: Operation; size: number; count: number },
): Promise<void> {
  for (const [number, more] of [count, 0].entries()) {
    await target.ask(operation.request(target, number));
    const group = await target.ask({ method: "GET", path: `/Groups/${groupId(target, size)}` });
    expectEqual(`members of ${groupId(target, size)}`, membersOf(group).length, sizeOf(target, size) + more);
  }
}

function readGroup(key: string, title: string, query: string, members: (target: Target) => number): Operation {
  return {
    key,
    title,
    turns: [title],
    concurrency: [1, 16],
    request: (target) => ({ method: "GET", path: `/Groups/${groupId(target, BIG)}${query}` }),
    check(target, _number, { body }) {
      const group = record(body);
      expectEqual("id", group["id"], groupId(target, BIG));
      expectEqual("displayName", group["displayName"], target.directory.groups[groupOf(target.directory, BIG)]?.name);
      expectEqual("members", membersOf(group).length, members(target));
    },
  };
}

export const GROUP_READS: readonly Operation[] = [
  readGroup("group", "GET a group of 10,000 without members", "?excludedAttributes=members", () => 0),
  readGroup("group-members", "GET a group of 10,000 with members", "", (target) => sizeOf(target, BIG)),
];

export const GROUP_WRITES: readonly Operation[] = [
  oneMember(10),
  oneMember(BIG, 10),
  oneMember(100_000, BIG),
  manyMembers("list"),
  manyMembers("paths"),
];
