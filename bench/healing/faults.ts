// Every fault of the injectors' classes as one line of a scenario, begun 15 s into a run. Those that a node can mend by itself are
// marked; the others are there to show that healing makes none of them worse.

export interface BenchFault {
  readonly name: string;
  readonly line: string;
  /** A cure ships. */
  readonly mendable?: true;
  /** Of the whole run, where the fault shows later than others. */
  readonly minutes?: number;
}

const at = (name: string, rest: string): BenchFault => ({
  name,
  line: `{ inject: ${name.split(" ")[0] ?? name}, at: 15s, for: 20s${rest} }`,
});
const mendable = (fault: BenchFault): BenchFault => ({ ...fault, mendable: true });
const two = ", nodes: 2";

export const benchFaults: readonly BenchFault[] = [
  at("partition", ", nodes: 4"),
  at("partition one-way", ", nodes: 3, shape: asymmetric"),
  at("partition bridge", ", nodes: 4, shape: bridge"),
  at("latency", ", extra: 200ms, tail: 1s"),
  at("loss", ", ratio: 0.3"),
  at("duplication", ", ratio: 0.3"),
  at("reordering", ", jitter: 500ms"),
  at("bandwidth", ", bytes_per_second: 40000"),
  at("corruption", ", ratio: 0.002"),
  at("crash", two),
  at("crash stale disk", `${two}, stale_disk: true`),
  at("crash_loop", `${two}, every: 6s`),
  at("slow", `${two}, every: 2s, pause: 800ms`),
  at("clock_step", `${two}, by_seconds: 600`),
  at("clock_step back", `${two}, by_seconds: -600`),
  at("clock_drift", `${two}, ppm: 20000`),
  at("disk_full", two),
  at("forge", ", nodes: 1"),
  at("replay", ", nodes: 1"),
  at("equivocate", ", nodes: 1"),
  at("false_evidence", ", nodes: 1"),
  at("sybil_flood", ", nodes: 1, per_second: 20"),
  at("false_claims", ", nodes: 3"),
  at("false_lessons", ", nodes: 3"),
  at("bad_signature", two),
  at("bad_verification", two),
  at("kem_failure", two),
  at("expired_svid", two),
  at("wrong_bundle", two),
  mendable(at("renewal_stuck", `${two}, left: 10s`)),
  mendable(at("store_grows", two)),
  {
    name: "leak",
    line: "{ inject: leak, at: 15s, for: 210s, nodes: 1, full_after: 3m }",
    minutes: 4,
  },
  at("lying_sensors alone", ", nodes: 3, say: alone"),
  at("lying_sensors leaking", ", nodes: 3, say: leaking"),
  at("lying_sensors overloaded", ", nodes: 3, say: overloaded"),
  at("lying_sensors expiring", ", nodes: 3, say: expiring"),
  at("lying_sensors mesh-unwell", ", nodes: 3, say: mesh-unwell"),
  at("lying_sensors all-well", ", nodes: 3, say: all-well"),
];

/** What chance chooses from. */
export const faultKinds: readonly string[] = [
  ...new Set(benchFaults.map(({ name }) => name.split(" ")[0] ?? name)),
];
