import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { WriteBack } from "../../connectors/contract.ts";

/** The system behind a write-back. Everything acts on the system itself, never through the connector. */
export interface WriteBackWorld {
  addPerson(): Promise<string>;
  removePerson(nativeId: string): Promise<void>;
  /** Whether the system itself lets this person in. */
  maySignIn(nativeId: string): Promise<boolean>;
  addGroup(members: readonly string[]): Promise<string>;
  members(groupNativeId: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface WriteBackContractOptions {
  name: string;
  world: () => Promise<WriteBackWorld>;
  open: () => Promise<WriteBack>;
}

/** M4: what every connector that writes back must do. */
export function writeBackContract({ name, world: openWorld, open }: WriteBackContractOptions): void {
  describe(`write-back contract: ${name}`, () => {
    let world: WriteBackWorld;
    let writeBack: WriteBack;
    beforeAll(async () => {
      world = await openWorld();
      writeBack = await open();
    });
    afterAll(async () => {
      await writeBack?.close();
      await world?.close();
    });

    test("M4: who is disabled can't sign in, who is enabled again can; both are safe to repeat", async () => {
      const nativeId = await world.addPerson();
      expect(await world.maySignIn(nativeId)).toBe(true);
      await writeBack.disable(nativeId);
      expect(await world.maySignIn(nativeId)).toBe(false);
      await writeBack.disable(nativeId);
      expect(await world.maySignIn(nativeId)).toBe(false);
      await writeBack.enable(nativeId);
      expect(await world.maySignIn(nativeId)).toBe(true);
      await writeBack.enable(nativeId);
      expect(await world.maySignIn(nativeId)).toBe(true);
    });

    test("M4: a member is taken out of a group, the others stay; safe to repeat", async () => {
      const [first, second] = [await world.addPerson(), await world.addPerson()];
      const group = await world.addGroup([first, second]);
      await writeBack.removeFromGroup(group, first);
      expect(await world.members(group)).toEqual([second]);
      await writeBack.removeFromGroup(group, first);
      expect(await world.members(group)).toEqual([second]);
    });

    test("who is gone is `gone`", async () => {
      const nativeId = await world.addPerson();
      await world.removePerson(nativeId);
      await expect(writeBack.disable(nativeId)).rejects.toMatchObject({ name: "Fault", kind: "gone" });
      await expect(writeBack.enable(nativeId)).rejects.toMatchObject({ name: "Fault", kind: "gone" });
    });
  });
}
