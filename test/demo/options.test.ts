import { describe, expect, test } from "@jest/globals";
import { castOf } from "../../demo/cast.ts";
import { createCompany } from "../../demo/company.ts";
import { readOptions, SMALLEST } from "../../demo/options.ts";

const read = (...parameters: string[]) => readOptions({ parameters, environment: {}, attended: true });

describe("the demo's options", () => {
  test("has a cast for every company that it takes", () => {
    for (let people: number = SMALLEST.people; people < 900; people++)
      for (const groups of [SMALLEST.groups, SMALLEST.groups + 1]) expect(() => castOf(createCompany({ people, groups }))).not.toThrow();
  });

  test("refuses before anything is started what could not be played", () => {
    for (const people of ["0", "-1", "199", "many", "2.5", ""])
      expect(() => read(`--people=${people}`)).toThrow("--people must be a whole number, 200 or more.");
    for (const groups of ["0", "20", "69"]) expect(() => read("--groups", groups)).toThrow("--groups must be a whole number, 70 or more.");
    for (const port of ["99999", "-1", "http"])
      expect(() => read(`--port=${port}`)).toThrow("--port must be a whole number from 0 to 65535.");
    expect(() => read("--nope")).toThrow("--nope");
  });

  test("is asked for help, and otherwise has what is usual", () => {
    expect(read("-h")).toMatchObject({ help: true });
    expect(read()).toEqual({ people: 2000, groups: 100, port: 8080, csv: false, once: false, help: false });
  });
});
