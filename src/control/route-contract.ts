// The control API's part for links and routes: how this node measures its neighbours, and how it would reach a member and why so.

import * as z from "zod";

const ratio = z.number().min(0).max(1);
const count = z.int().min(0);
const node = { name: z.string(), nodeId: z.string() };

/** `null` stands for what is not measured yet, or for infinity: no link. */
export const linksFields = {
  links: z.array(
    z.object({
      ...node,
      /** Smoothed (RFC 6298), and its mean deviation. */
      rttMs: z.number().nullable(),
      jitterMs: z.number().nullable(),
      /** Of this node's probes, and of the neighbour's probes as it reports it. */
      lossForward: ratio,
      lossBackward: ratio.nullable(),
      /** Expected transmissions. */
      etx: z.number().nullable(),
      cost: z.number().nullable(),
      /** What this node's beacon says. It is replaced when `differing` samples in a row reach `needed`. */
      published: z.object({ rttMs: z.number(), lossRatio: ratio }),
      differing: count,
      needed: count,
    }),
  ),
};

const path = z.object({
  cost: z.number(),
  hops: z.array(
    z.object({
      from: z.object(node),
      to: z.object(node),
      rttMs: z.number(),
      lossForward: ratio,
      lossBackward: ratio,
      cost: z.number(),
    }),
  ),
});

export const routeFields = {
  target: z.object({ ...node, spiffeId: z.string(), state: z.string() }),
  /** The connection in use between this node and the target. */
  transport: z.object({
    kind: z.enum(["direct", "relayed", "none"]),
    /** Where it leads; `null` without one. */
    address: z.string().nullable(),
    /** Name or PeerId of the relay. */
    relay: z.string().nullable(),
  }),
  /** `null`: no way through members that are alive. */
  path: path.nullable(),
  /** The best path over each other neighbour, the cheapest first. */
  alternatives: z.array(path),
  hysteresis: z.object({
    /** How long a path has been better by a tenth; `null`: none is. */
    betterForMs: z.number().nullable(),
    /** When that is this long, the next hop changes. */
    holdMs: z.number(),
  }),
  /** Paths that share no node but their ends, of the least total cost. */
  disjoint: z.array(path),
  /** In order of preference. */
  relays: z.array(z.object({ ...node, cost: z.number(), connected: z.boolean() })),
};

export const routeRequestSchema = z.strictObject({
  /** A name, a NodeId or its beginning, or a SPIFFE id. */
  peer: z.string().min(1).max(2048),
  /** How many disjoint paths are wanted. */
  paths: z.int().min(1).max(8),
});

export type RouteRequest = z.infer<typeof routeRequestSchema>;
