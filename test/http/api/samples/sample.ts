import type { ApiDoor } from "../api-door.ts";

/** One side of the tree: what a caller with rights on its unit may reach. */
export interface Side {
  unitId: string;
  /** Belongs to the unit. */
  personId: string;
}

export interface SampleRequest {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
}

/** A request of a route that names something on that side, as whoever may do it would send it. It may make what it needs. */
export type Sample = (door: ApiDoor, side: Side) => SampleRequest | Promise<SampleRequest>;

/** By `METHOD /path`, for routes that name neither unit nor person in their path. */
export type Samples = Readonly<Record<string, Sample>>;
