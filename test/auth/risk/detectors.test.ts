import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { dormantWaking } from "../../../src/auth/risk/detectors/dormant-waking.ts";
import { factorFatigue } from "../../../src/auth/risk/detectors/factor-fatigue.ts";
import { manyFailures } from "../../../src/auth/risk/detectors/many-failures.ts";
import { networkChange } from "../../../src/auth/risk/detectors/network-change.ts";
import { recoveryRemoval } from "../../../src/auth/risk/detectors/recovery-removal.ts";
import { rightPasswordRefused } from "../../../src/auth/risk/detectors/right-password-refused.ts";
import { spraying } from "../../../src/auth/risk/detectors/spraying.ts";
import { stuffing } from "../../../src/auth/risk/detectors/stuffing.ts";
import { tokenPlace } from "../../../src/auth/risk/detectors/token-place.ts";
import type { NotedAttempt } from "../../../src/auth/risk/noted-attempts.ts";
import { readPlaces } from "../../../src/auth/risk/places.ts";
import { signInSettings } from "../../../src/sign-in-settings.ts";

const { risk } = signInSettings.parse({});
const START = Date.parse("2027-03-01T08:00:00Z");
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const nowhere = () => undefined;

const attempt = (minute: number, more: Partial<NotedAttempt> = {}): NotedAttempt => ({
  at: new Date(START + minute * MINUTE),
  kind: "password",
  outcome: "failed",
  personId: "ada",
  nameHash: null,
  network: "192.0.2.0/24",
  why: null,
  ...more,
});
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const network = fc.integer({ min: 1, max: 250 }).map((third) => `198.51.${third}.0/24`);

test("W2: many failures: whoever mistypes less often than the threshold before getting in raises nothing; the pattern always does", () => {
  const { failures, minutes } = risk.manyFailures;
  const visit = fc.record({ pause: fc.double({ min: 0, max: 600, noNaN: true }), mistakes: fc.integer({ min: 0, max: failures - 1 }) });
  fc.assert(
    fc.property(fc.array(visit, { maxLength: 20 }), (visits) => {
      let clock = 0;
      const life = visits.flatMap(({ pause, mistakes }) => {
        clock += pause;
        return [...times(mistakes, (at) => attempt(clock + at / 10)), attempt((clock += 1), { outcome: "ok" })];
      });
      expect(manyFailures(life, risk.manyFailures)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: failures, max: 60 }),
      fc.double({ min: 0.01, max: 0.9, noNaN: true }),
      fc.array(network, { minLength: 1 }),
      (count, share, networks) => {
        const gap = (minutes * share) / count;
        const attack = times(count, (at) => attempt(at * gap, { network: networks[at % networks.length] ?? null }));
        expect(manyFailures([attempt(-1, { outcome: "ok" }), ...attack], risk.manyFailures)?.facts["failures"]).toBe(count);
      },
    ),
  );
});

test("W2: many failures: who has the password and guesses the second factor is seen, however often they give the password or have a code sent", () => {
  const { failures } = risk.manyFailures;
  const guess = (minute: number) => attempt(minute, { kind: "second_factor", why: "wrong_code" });
  const guesses = (before: Partial<NotedAttempt>) =>
    times(failures, (at) => [attempt(at, { outcome: "ok", ...before }), guess(at + 0.5)]).flat();
  for (const kind of ["password", "challenge", "federated", "link"] as const)
    expect(manyFailures(guesses({ kind }), risk.manyFailures)?.facts["failures"]).toBe(failures);
  // Passwords that fail are made up for by the right one; the owner's own second factor makes up for all.
  expect(manyFailures(times(failures, (at) => [attempt(at), attempt(at + 0.5, { outcome: "ok" })]).flat(), risk.manyFailures)).toBeNull();
  const ownersToo = [...guesses({}).slice(0, -1), attempt(9.4, { kind: "second_factor", outcome: "ok" }), guess(9.5)];
  expect(manyFailures(ownersToo, risk.manyFailures)).toBeNull();
  // Having a code sent makes up for no wrong password.
  const sent = times(failures, (at) => [attempt(at), attempt(at + 0.5, { kind: "challenge", outcome: "ok" })]).flat();
  expect(manyFailures(sent, risk.manyFailures)).not.toBeNull();
});

test("W2: spraying: an office where everybody mistypes and then gets in raises nothing; few passwords at many accounts always do", () => {
  const { accounts } = risk.spraying;
  const limits = { ...risk.spraying, manyFailures: risk.manyFailures };
  const worker = fc.record({ mistakes: fc.integer({ min: 0, max: 4 }), getsIn: fc.boolean() });
  fc.assert(
    fc.property(fc.array(worker, { maxLength: 80 }), (workers) => {
      let lost = 0;
      const morning = workers.flatMap(({ mistakes, getsIn }, who) => {
        const personId = `worker-${who}`;
        // Fewer than the threshold give up.
        const gives = !getsIn && mistakes > 0 && (lost += 1) < accounts;
        return [...times(mistakes, () => attempt(who, { personId })), ...(gives ? [] : [attempt(who + 1, { personId, outcome: "ok" })])];
      });
      expect(spraying(morning, limits)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: accounts, max: 60 }),
      // One less than what makes each of them an incident of its own.
      fc.integer({ min: 1, max: risk.manyFailures.failures - 1 }),
      fc.integer({ min: 0, max: 30 }),
      (victims, each, colleagues) => {
        const attack = times(victims, (who) =>
          times(each, (at) => attempt(at, who % 2 === 0 ? { personId: `victim-${who}` } : { personId: null, nameHash: `nobody-${who}` })),
        ).flat();
        const others = times(colleagues, (who) => attempt(5, { personId: `colleague-${who}`, outcome: "ok" }));
        expect(spraying([...others, ...attack], limits)?.facts).toMatchObject({ accounts: victims, failures: victims * each });
      },
    ),
  );
});

test("W2: lists of stolen passwords from all over: below any of the three thresholds nothing, above all of them always", () => {
  const at = { firstAt: new Date(START), lastAt: new Date(START + MINUTE) };
  const { accounts, networks, failuresPerSuccess } = risk.stuffing;
  const any = fc.record({ accounts: fc.nat(500), networks: fc.nat(100), failures: fc.nat(5000), successes: fc.nat(500) });
  fc.assert(
    fc.property(any, (counts) => {
      const isPattern =
        counts.accounts >= accounts && counts.networks >= networks && counts.failures >= failuresPerSuccess * Math.max(1, counts.successes);
      expect(stuffing({ ...counts, ...at }, risk.stuffing) !== null).toBe(isPattern);
    }),
  );
  expect(stuffing({ accounts: 1000, networks: 1000, failures: 9999, successes: 0, firstAt: null, lastAt: null }, risk.stuffing)).toBeNull();
});

test("W2: network change: known networks, slow journeys and IPv6 beside IPv4 raise nothing; a new network within minutes always does", () => {
  const ok = (minute: number, from: string) => attempt(minute, { outcome: "ok", network: from });
  const home = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"];
  const options = { minutes: risk.networkChange.minutes, known: new Set(home), factorSince: null, placeOf: nowhere };
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 60, noNaN: true }), fc.constantFrom(...home))), (moves) => {
      let clock = 0;
      const commute = moves.map(([pause, from]) => ok((clock += pause), from));
      expect(networkChange(commute, options)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(network, { maxLength: 20 }), fc.double({ min: 0.1, max: 500, noNaN: true }), (journey, pause) => {
      const slow = journey.map((from, at) => ok(at * (options.minutes + pause), from));
      expect(networkChange(slow, { ...options, known: new Set() })).toBeNull();
    }),
  );
  expect(networkChange([ok(0, "192.0.2.0/24"), ok(1, "2001:db8:9::/48")], options)).toBeNull();
  fc.assert(
    fc.property(
      network.filter((each) => !home.includes(each)),
      fc.double({ min: 0, max: options.minutes, noNaN: true }),
      (elsewhere, pause) => {
        const found = networkChange([ok(0, "192.0.2.0/24"), attempt(pause / 2, { network: elsewhere }), ok(pause, elsewhere)], options);
        expect(found?.facts).toMatchObject({ from: "192.0.2.0/24", to: elsewhere });
      },
    ),
  );
});

test("W2: network change: a password alone, where there is a second factor, makes no network known", () => {
  const second = (minute: number, from: string) => attempt(minute, { kind: "second_factor", outcome: "ok", network: from });
  const first = (minute: number, from: string) => attempt(minute, { outcome: "ok", network: from });
  const [home, elsewhere] = ["192.0.2.0/24", "198.51.100.0/24"];
  const comings = [first(0, elsewhere), first(20, home), second(20.5, home), first(22, elsewhere), second(22.5, elsewhere)];
  const found = (factorSince: Date | null) =>
    networkChange(comings, { minutes: 30, known: new Set([home]), factorSince, placeOf: nowhere })?.facts;
  expect(found(new Date(START - DAY))).toMatchObject({ from: home, to: elsewhere });
  expect(found(null)).toBeUndefined();
  expect(found(new Date(START + DAY))).toBeUndefined();
});

test("W2: with places, a change within one place raises nothing, and one between places does, whatever the IP version", () => {
  const placeOf = readPlaces("network,place\n192.0.0.0/16,Helsinki\n198.51.100.0/24,Lyon\n2001:db8::/32,Lyon\n192.0.9.0/24,Vaasa\n");
  const journey = (from: string, to: string) =>
    networkChange([attempt(0, { outcome: "ok", network: from }), attempt(5, { outcome: "ok", network: to })], {
      minutes: 30,
      known: new Set(),
      factorSince: null,
      placeOf,
    });
  expect(journey("192.0.2.0/24", "192.0.3.0/24")).toBeNull();
  expect(journey("198.51.100.0/24", "2001:db8:5::/48")).toBeNull();
  expect(journey("192.0.2.0/24", "2001:db8:5::/48")?.facts).toMatchObject({ fromPlace: "Helsinki", toPlace: "Lyon" });
  expect(journey("192.0.2.0/24", "192.0.9.0/24")?.facts).toMatchObject({ toPlace: "Vaasa" });
  expect(placeOf("203.0.113.0/24")).toBeUndefined();
  for (const wrong of ["192.0.2.0,Helsinki", "192.0.2.0/24", "192.0.2.0/99,Lyon", "nowhere,Lyon\nnowhere,Lyon"])
    expect(() => readPlaces(wrong)).toThrow("is not a network and a place");
});

test("W2: a dormant account: absences below the threshold raise nothing, from it on they always do, the never used included", () => {
  const { days } = risk.dormant;
  const waking = (quietDays: number, more: object = {}) => {
    const at = new Date(START);
    const then = new Date(START - quietDays * DAY);
    return dormantWaking({ at, network: null, before: then, createdAt: new Date(0), watchedSince: new Date(0), ...more }, risk.dormant);
  };
  fc.assert(fc.property(fc.double({ min: 0, max: days - 0.001, noNaN: true }), (quiet) => expect(waking(quiet)).toBeNull()));
  fc.assert(fc.property(fc.double({ min: days, max: 5000, noNaN: true }), (quiet) => expect(waking(quiet)).not.toBeNull()));
  const created = (ago: number, watched: number) => ({
    before: null,
    createdAt: new Date(START - ago * DAY),
    watchedSince: new Date(START - watched * DAY),
  });
  expect(waking(0, created(days + 1, days + 1))).not.toBeNull();
  // New people, and everybody in the first months of noting attempts.
  expect(waking(0, created(3, days + 1))).toBeNull();
  expect(waking(0, created(days + 1, 3))).toBeNull();
});

test("W2: second-factor fatigue: a few challenges before an answer raise nothing; many and then an acceptance always do", () => {
  const { challenges, minutes } = risk.factorFatigue;
  const bad = fc.constantFrom<Partial<NotedAttempt>>(
    { kind: "challenge", outcome: "ok" },
    { kind: "second_factor" },
    { kind: "second_factor", outcome: "refused" },
  );
  const accepted = (minute: number) => attempt(minute, { kind: "second_factor", outcome: "ok" });
  fc.assert(
    fc.property(fc.array(fc.array(bad, { maxLength: challenges - 1 }), { maxLength: 10 }), (signIns) => {
      const life = signIns.flatMap((asked, at) => [
        attempt(at, { outcome: "ok" }),
        ...asked.map((each) => attempt(at, each)),
        accepted(at),
      ]);
      expect(factorFatigue(life, risk.factorFatigue)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(
      fc.array(bad, { minLength: challenges, maxLength: 40 }),
      fc.double({ min: 0.01, max: 0.9, noNaN: true }),
      (asked, share) => {
        const gap = (minutes * share) / asked.length;
        const attack = [...asked.map((each, at) => attempt(at * gap, each)), accepted(asked.length * gap)];
        expect(factorFatigue(attack, risk.factorFatigue)).not.toBeNull();
        // Nobody gave in.
        expect(factorFatigue(attack.slice(0, -1), risk.factorFatigue)).toBeNull();
        // The owner asked in vain in the morning, and got in after lunch.
        expect(factorFatigue([...attack.slice(0, -1), accepted(minutes * 3)], risk.factorFatigue)).toBeNull();
      },
    ),
  );
});

test("W2: a token: where it lives, even on several networks, raises nothing; a new network after it was learnt always does", () => {
  const createdAt = new Date(START);
  const options = { ...risk.tokenPlace, createdAt, placeOf: nowhere };
  const use = (day: number, from: string) => ({ at: new Date(START + day * DAY), network: from });
  const homes = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"];
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(...homes)), { maxLength: 30 }), (moves) => {
      let day = 3;
      const uses = [
        ...homes.map((each, at) => use(at, each)),
        ...moves.flatMap(([pause, from]) => homes.map((each) => use(day + pause / 2, each)).concat(use((day += pause), from))),
      ];
      expect(tokenPlace(uses, options)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(fc.double({ min: options.learnDays, max: options.knownDays - 3, noNaN: true }), network, (day, elsewhere) => {
      fc.pre(!homes.includes(elsewhere));
      expect(tokenPlace([use(1, "192.0.2.0/24"), use(2, "198.51.100.0/24"), use(day, elsewhere)], options)?.facts).toMatchObject({
        network: elsewhere,
      });
    }),
  );
  expect(tokenPlace([use(1, "192.0.2.0/24"), use(30, "2001:db8:1::/48")], options)).toBeNull();
});

test("W2: a recovery code and then a factor removed within the time always raises it; each alone, or in the other order, never", () => {
  const { minutes } = risk.recoveryRemoval;
  const moment = (minute: number) => new Date(START + minute * MINUTE);
  const apart = fc.double({ min: 0, max: minutes, noNaN: true });
  fc.assert(
    fc.property(apart, (gap) => {
      expect(recoveryRemoval({ recoveries: [moment(0)], removals: [moment(gap)] }, risk.recoveryRemoval)).not.toBeNull();
      expect(recoveryRemoval({ recoveries: [moment(gap + 1)], removals: [moment(0)] }, risk.recoveryRemoval)).toBeNull();
      expect(recoveryRemoval({ recoveries: [moment(0)], removals: [moment(minutes + 1 + gap)] }, risk.recoveryRemoval)).toBeNull();
    }),
  );
  expect(recoveryRemoval({ recoveries: [moment(0)], removals: [] }, risk.recoveryRemoval)).toBeNull();
});

test("W2: right credentials of who may not come in raise it; wrong ones, and limits, don't", () => {
  const refused = attempt(0, { outcome: "refused", why: "not_active" });
  expect(rightPasswordRefused([attempt(0), attempt(1, { outcome: "refused", why: "limited" }), attempt(2, { outcome: "ok" })])).toBeNull();
  expect(rightPasswordRefused([attempt(0), refused])?.facts).toEqual({ attempts: 1, networks: ["192.0.2.0/24"] });
});
