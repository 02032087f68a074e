// The answer of `meshctl status`: the node, its SVID, its peers, what is wrong, and what it trains.

import type { ProcessMeter } from "../adapters/telemetry/process-meter.ts";
import type { Config } from "../config/index.ts";
import type { Body, Status } from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import type { NodeKeys } from "../identity/index.ts";
import type { Condition } from "./health.ts";
import { peerIdOf } from "./identity-view.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Member } from "./member.ts";
import { peersOf } from "./peer-view.ts";

export interface StatusDeps {
  readonly config: Config;
  readonly version: string;
  readonly lifecycle: Pick<Lifecycle, "member" | "state">;
  readonly epoch: number;
  readonly engine: Pick<CryptoEngine, "name">;
  readonly keys: NodeKeys;
  readonly process: ProcessMeter;
}

/** What a status says that is not in its {@link StatusDeps}. */
export interface StatusNow {
  readonly startedAt: string;
  /** `null` when metrics are off. */
  readonly metricsAddress: string | null;
  readonly health: Condition[];
}

export function statusOf(deps: StatusDeps, now: StatusNow): Body<Status> {
  const { config, version, lifecycle, epoch, engine, keys } = deps;
  const { member, state } = lifecycle;
  const { startedAt, metricsAddress, health } = now;
  const identity = member?.svid.identity;
  const isDegraded = state === "running" && health.some(({ severity }) => severity !== "info");
  const running = state === "running" ? member : undefined;
  return {
    node: {
      state: isDegraded ? "degraded" : state,
      name: identity?.name ?? null,
      nodeId: keys.nodeId,
      peerId: peerIdOf(keys),
      spiffeId: identity?.spiffeId ?? null,
      trustDomain: identity?.trustDomain ?? null,
      version,
      startedAt,
      epoch,
      zone: running?.mesh.zone ?? config.mesh.zone,
      ...(running === undefined ? {} : zoneCounts(running)),
      roles: member?.roles ?? [],
      engine: engine.name,
      handshakePolicy: config.mesh.handshakePolicy,
      addresses: running?.network.addresses() ?? [],
      metricsAddress,
      pid: process.pid,
    },
    svid: member === undefined ? null : svidOf(member, config.identity.source),
    peers: peersOf(member).peers,
    health,
    learning: running?.learning.reports.status() ?? null,
    process: deps.process.read(),
  };
}

function svidOf(
  { svid }: Member,
  source: Config["identity"]["source"],
): NonNullable<Status["svid"]> {
  const { notBeforeMs, notAfterMs, serialNumber, isClassical = false } = svid.identity;
  return {
    notBefore: isoTime(notBeforeMs),
    notAfter: isoTime(notAfterMs),
    renewAt: isoTime(svid.renewAtMs),
    graceEnd: isoTime(svid.graceEndMs),
    serialNumber,
    source,
    classical: isClassical,
  };
}

function zoneCounts({ mesh }: Member): { zoneMembers: number; zonesKnown: number } {
  const zones = mesh.zones();
  return { zoneMembers: zones.find(({ own }) => own)?.members ?? 0, zonesKnown: zones.length };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
