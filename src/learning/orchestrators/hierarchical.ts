// Hierarchical: the population is drawn into zones anew each round, a robust rule inside each gives one row a zone, and a
// geometric median across zones gives the step. A node fetches the updates of its zone and the rows of the others, which are coded as
// updates are: rounded by draws that follow from the beacon, so that all who know a zone's updates have the same bytes of its row.
//
// Inside a zone f_z is what the draw's tail demands, up to 45 % (zones.ts); a few zones may still be captured, which is
// why the top level is robust too. Unlike a flat round, a zone of a population with 30 % liars cannot hold n > 3 f_z, so
// inside zones the deadline is trusted: a member that is missing is one of its f_z, and who says nothing does not lie.
// The rule is then asked for as many liars as the rest can stand at most, never fewer than f_z less the missing.

import { assert, MeshError, ok, type Result } from "../../foundation/index.ts";
import type { AggregateContext, AggregatorName } from "../aggregators/aggregator.ts";
import { aggregatorNamed } from "../aggregators/rules.ts";
import type { LearningErrorCode } from "../codes.ts";
import { compress, type CompressionSpec, decompress } from "../compression/compression.ts";
import type { ParticipantId } from "../task.ts";
import type { RoundView } from "../protocol/index.ts";
import { weighEntries } from "./influence.ts";
import type {
  Influence,
  RoundEntry,
  RoundInput,
  RoundOrchestrator,
  RoundOutput,
} from "./round-orchestrator.ts";
import { drawZones, type Hash, liarsAbove, zoneByzantine } from "./zones.ts";

/** With at most this probability a round may draw more captured zones than the top level stands. */
const RISK_MAX = 0.01;
/** Of fewer a median across them stands no captured one. */
const ZONES_MIN = 3;

export interface HierarchicalOptions {
  readonly participants: readonly ParticipantId[];
  /** f of the population. */
  readonly byzantine: number;
  /** More: fewer bytes a node, and a zone is captured more easily. */
  readonly zones: number;
  /** After so long N - f updates are enough. Everyone honest must manage it: see above. */
  readonly deadlineMs: number;
  /** How updates travel, and so the rows of zones. */
  readonly compression: CompressionSpec;
}

/** A zone whose rule could stand on what came. */
interface ZoneResult {
  readonly row: Float32Array;
  readonly influences: readonly Influence[];
}

/** Robust inside random zones, robust across. */
export class HierarchicalOrchestrator implements RoundOrchestrator {
  readonly stalenessMax = 0;
  readonly deadlineMs: number;
  /** How many zones may be captured; at least twice as many and one must not be void. */
  readonly zonesByzantine: number;
  readonly #options: HierarchicalOptions;
  readonly #hash: Hash;

  /** @throws MeshError `learning/bad-task` when rounds would too often draw more captured zones than the top level stands */
  constructor(deps: { readonly hash: Hash }, options: HierarchicalOptions) {
    this.#hash = deps.hash;
    this.#options = options;
    this.deadlineMs = options.deadlineMs;
    this.zonesByzantine = capturedMax(options.zones);
    const { participants, byzantine, zones } = options;
    const draw = { population: participants.length, byzantine, zones };
    const risk = riskOf(draw);
    if (risk > RISK_MAX) {
      const byzantineMax = liarsBorne(draw);
      throw new MeshError(
        "learning/bad-task",
        `Cannot draw ${zones} zones of ${participants.length} participants with ${byzantine} liars: in ` +
          `${(100 * risk).toPrecision(2)} % of rounds more zones would be captured than the ${this.zonesByzantine} that the ` +
          `top level stands. State byzantine ${byzantineMax} or less, try fewer zones, or use batch-async.`,
        { participants: participants.length, byzantine, zones, byzantineMax },
      );
    }
  }

  closes({ held, elapsedMs }: RoundView): "wait" | "close" | "void" {
    const { participants, byzantine, deadlineMs } = this.#options;
    if (held >= participants.length) return "close";
    if (elapsedMs < deadlineMs) return "wait";
    return held >= participants.length - byzantine ? "close" : "void";
  }

  /** Who is with whom in the round after a beacon. */
  zonesOf(beacon: string): ParticipantId[][] {
    return drawZones(this.#options.participants, beacon, this.#options.zones, this.#hash);
  }

  combine(
    input: RoundInput,
    aggregator: AggregatorName,
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode> {
    const byId = new Map(input.entries.map((entry) => [entry.nodeId, entry]));
    const results: ZoneResult[] = [];
    for (const [zone, members] of this.zonesOf(input.beacon).entries()) {
      const held = members.flatMap((id) => byId.get(id) ?? []);
      const result = this.#zone(members.length, held, aggregator, context);
      if (result === undefined) continue;
      results.push({ ...result, row: this.#coded(result.row, zone, input, context) });
    }
    return this.#across(results, context);
  }

  /** A zone's row; `undefined`, a void zone, when too many are missing or the rule refuses. */
  #zone(
    size: number,
    held: readonly RoundEntry[],
    aggregator: AggregatorName,
    context: AggregateContext,
  ): ZoneResult | undefined {
    const { participants, byzantine } = this.#options;
    const faults = zoneByzantine(size, participants.length, byzantine);
    if (held.length < size - faults) return undefined;
    const f = Math.min(faults, Math.floor((held.length - 1) / 2));
    const weighed = weighEntries(held, f, aggregator, context);
    if (!weighed.ok) return undefined;
    return { row: weighed.value.vector, influences: weighed.value.influences };
  }

  /** A zone's row as the other zones get it. */
  #coded(
    row: Float32Array,
    zone: number,
    { beacon, stepSize }: RoundInput,
    { kernels }: AggregateContext,
  ): Float32Array {
    const { compression } = this.#options;
    const coding = { length: row.length, stepSize, seed: beacon, kernels };
    const bytes = compress(row, compression, { ...coding, author: `zone/${zone}` });
    const opened = decompress(bytes, compression, coding);
    assert(opened.ok, "what was compressed can be read");
    return opened.value;
  }

  #across(
    results: readonly ZoneResult[],
    context: AggregateContext,
  ): Result<RoundOutput, LearningErrorCode> {
    const rows = results.map(({ row }) => row);
    const top = aggregatorNamed("geometric-median").aggregate(rows, this.zonesByzantine, context);
    if (!top.ok) return top;
    const { vector, shares, rejected } = top.value;
    const influences = results
      .flatMap(({ influences }, zone) =>
        influences.map((influence) => ({
          ...influence,
          share: influence.share * (shares[zone] ?? 0),
          outlier: influence.outlier || rejected.includes(zone),
        })),
      )
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    return ok({ vector, influences });
  }
}

interface Draw {
  readonly population: number;
  readonly byzantine: number;
  readonly zones: number;
}

/** How many zones may be captured. */
function capturedMax(zones: number): number {
  return Math.floor((zones - 1) / 3);
}

/** Probability that a round draws more captured zones than the top level stands (zones taken as independent). */
function riskOf({ population, byzantine, zones }: Draw): number {
  const size = Math.floor(population / zones);
  const faults = zoneByzantine(size, population, byzantine);
  const captured = liarsAbove(faults, { size, population, byzantine });
  let weight = (1 - captured) ** zones;
  let within = 0;
  for (let k = 0; k <= capturedMax(zones); k++) {
    within += weight;
    weight *= ((zones - k) / (k + 1)) * (captured / (1 - captured));
  }
  return Math.max(0, 1 - within);
}

/** The most zones up to `most` that bear these liars; `undefined` when three do not. */
export function zonesFor(population: number, byzantine: number, most: number): number | undefined {
  for (let zones = most; zones >= ZONES_MIN; zones--) {
    if (riskOf({ population, byzantine, zones }) <= RISK_MAX) return zones;
  }
  return undefined;
}

/** How many liars fewer such zones bear; one more is too many. */
function liarsBorne(draw: Draw): number {
  let borne = 0;
  let tooMany = draw.byzantine;
  while (tooMany - borne > 1) {
    const byzantine = Math.floor((borne + tooMany) / 2);
    if (riskOf({ ...draw, byzantine }) <= RISK_MAX) borne = byzantine;
    else tooMany = byzantine;
  }
  return borne;
}
