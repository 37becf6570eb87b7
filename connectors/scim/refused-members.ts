import { Fault } from "../contract.ts";

/** So many refused, each alone, and nobody taken: it is not about them. */
const ENOUGH = 20;

/** Members whom an application refuses by themselves, gathered until everybody else is through. */
export interface RefusedMembers {
  /** Throws the refusal where it is of everybody. */
  note(id: string, refusal: Fault): void;
  /** Somebody was taken. */
  taken(): void;
  has(id: string): boolean;
  /** Throws `rejected`, in the application's words, where somebody was refused. */
  tell(): void;
}

export function refusedMembers(groupId: string): RefusedMembers {
  const refused = new Map<string, Fault>();
  let anyTaken = false;
  return {
    note(id, refusal) {
      refused.set(id, refusal);
      if (!anyTaken && refused.size >= ENOUGH) throw refusal;
    },
    taken: () => void (anyTaken = true),
    has: (id) => refused.has(id),
    tell() {
      const [first] = refused.values();
      if (!first) return;
      const [some, more] = [[...refused.keys()].slice(0, 5).join(", "), refused.size - 5];
      throw new Fault(
        "rejected",
        `The SCIM application takes the changes of members of the group ${groupId} but for ${some}${more > 0 ? ` and ${more} more` : ""}: are their accounts still there? ${first.message}`,
        { cause: first },
      );
    },
  };
}

/** The refusal itself; any other failure is thrown. */
export function refusalOrThrow(error: unknown): Fault {
  if (error instanceof Fault && error.kind === "rejected") return error;
  throw error;
}
