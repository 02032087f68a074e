// `meshctl dev up`: a mesh of real daemons on this host that joins, meets and trains, one or more of them lying.

import {
  connectedPeers,
  type LocalMesh,
  type LocalMeshOptions,
  type LocalNode,
} from "./local-mesh.ts";
import { percent, type Screen } from "./screen.ts";
import { type DevTask, train, type TrainingReport } from "./training.ts";

const CONVERGE_TIMEOUT_MS = 60_000;

const HOW: Readonly<Record<DevTask["orchestrator"], string>> = {
  "batch-async": "in certified rounds",
  epidemic: "each node by itself",
};

export interface DevOptions
  extends LocalMeshOptions,
    Omit<DevTask, "name" | "data" | "byzantine"> {}

/** The last line of `--json`. */
export interface DevReport {
  readonly schemaVersion: 1;
  readonly nodes: readonly {
    readonly name: string;
    readonly nodeId: string;
    readonly peerId: string;
    readonly spiffeId: string;
    /** Peers seen alive over an authenticated connection. */
    readonly peers: number;
    readonly suite: string;
    readonly rssBytes: number;
    readonly role: "honest" | "byzantine";
  }[];
  readonly rounds: TrainingReport["rounds"];
  readonly final: {
    readonly accuracy: number;
    /** The same task with the Byzantine nodes behaving. */
    readonly baselineAccuracyWithoutAttack: number;
    /** The same attack against the plain mean. */
    readonly undefendedAccuracy: number;
  };
  readonly durations: { readonly joinMs: number; readonly convergeMs: number };
}

/** Brings the mesh up and runs the three tasks; the caller stops the mesh. */
export async function demonstrate(
  mesh: LocalMesh,
  options: DevOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<DevReport> {
  const started = performance.now();
  await mesh.answering(signal);
  screen.done(`${mesh.nodes.length} meshd processes answer`, performance.now() - started);

  const joinMs = await join(mesh, screen);
  const convergeMs = await meet(mesh, screen, signal);

  const { orchestrator, model, aggregator, rounds, seed, alpha, byzantine, attack } = options;
  const base: Omit<DevTask, "name" | "attack"> = {
    ...{ orchestrator, model, aggregator, rounds, seed, alpha, byzantine },
    data: options.csv === undefined ? "glyphs" : "csv",
  };
  const defended = await announce(mesh, screen, signal, {
    ...base,
    name: "defended",
    attack,
  });
  const calm = await quietly(mesh, screen, signal, {
    ...base,
    name: "without-attack",
    attack: "none",
  });
  const undefended = await quietly(mesh, screen, signal, {
    ...base,
    name: "undefended",
    attack,
    aggregator: "mean",
  });
  const final = {
    accuracy: defended.accuracy,
    baselineAccuracyWithoutAttack: calm.accuracy,
    undefendedAccuracy: undefended.accuracy,
  };
  conclude(screen, options, final);
  await Promise.all(mesh.nodes.map((node) => node.refresh()));
  return {
    schemaVersion: 1,
    nodes: mesh.nodes.map(nodeReport),
    rounds: defended.rounds,
    final,
    durations: { joinMs, convergeMs },
  };
}

async function join(mesh: LocalMesh, screen: Screen): Promise<number> {
  const start = performance.now();
  let joined = 0;
  await mesh.enrol((node) => {
    joined++;
    screen.working(`${node.name} is in the trust domain (${joined}/${mesh.nodes.length})`);
  });
  const took = performance.now() - start;
  screen.done(
    `node-1 made the trust domain dev.mesh; ${mesh.nodes.length - 1} nodes joined it with one-time tokens`,
    took,
  );
  return Math.round(took);
}

async function meet(mesh: LocalMesh, screen: Screen, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  await mesh.converged(CONVERGE_TIMEOUT_MS, signal, () => {
    const counts = mesh.nodes.map((node) => `${node.name} ${connectedPeers(node)}`);
    screen.working(`peers found: ${counts.join(", ")}`);
  });
  const took = performance.now() - start;
  const suites = new Set(
    mesh.nodes.flatMap((node) => node.status?.peers.flatMap((peer) => peer.suite ?? []) ?? []),
  );
  screen.done(
    `every node is connected to the ${mesh.nodes.length - 1} others, suite ${[...suites].join(", ")}`,
    took,
  );
  screen.line(
    `   ${screen.paint("2", "X25519 + ML-KEM-768 key exchange; Ed25519 + ML-DSA-65 signatures of both sides over the transcript")}`,
  );
  screen.line(` ${screen.paint("32", "✓")} ${await beaconCounts(mesh)}`);
  return Math.round(took);
}

/** What all nodes have verified so far, and what they dropped by code. */
async function beaconCounts(mesh: LocalMesh): Promise<string> {
  const answers = await Promise.all(mesh.living().map((node) => node.client.beacons()));
  const accepted = answers.flatMap(({ counters }) => Object.values(counters.accepted));
  const dropped = new Map<string, number>();
  for (const { counters } of answers) {
    for (const [code, count] of Object.entries(counters.rejected)) {
      dropped.set(code, (dropped.get(code) ?? 0) + count);
    }
  }
  const codes = [...dropped].sort().map(([code, count]) => `${count} ${code}`);
  const verified = accepted.reduce((total, count) => total + count, 0);
  return `${verified} beacons and heartbeats verified${codes.length === 0 ? "" : `; dropped: ${codes.join(", ")}`}`;
}

async function announce(
  mesh: LocalMesh,
  screen: Screen,
  signal: AbortSignal,
  task: DevTask,
): Promise<TrainingReport> {
  const liars = mesh.nodes.filter((node) => node.role === "byzantine").map((node) => node.name);
  const attackers =
    liars.length === 0
      ? "nobody lies"
      : `${liars.join(", ")} attack${liars.length === 1 ? "s" : ""} with ${task.attack}`;
  screen.line();
  screen.line(
    ` training ${task.model} by ${task.aggregator}, ${HOW[task.orchestrator]}, no server; ${attackers}`,
  );
  return train(mesh, task, signal, (round) => screen.round(round, task.rounds));
}

/** A comparison run: one living line, no rows. */
async function quietly(
  mesh: LocalMesh,
  screen: Screen,
  signal: AbortSignal,
  task: DevTask,
): Promise<TrainingReport> {
  screen.working(`for comparison: ${task.name}, round 0/${task.rounds}`);
  return train(mesh, task, signal, (round) => {
    screen.working(
      `for comparison: ${task.name}, round ${round.round}/${task.rounds}, accuracy ${percent(round.accuracy)}`,
    );
  });
}

function conclude(screen: Screen, options: DevOptions, final: DevReport["final"]): void {
  screen.line();
  screen.table(
    ["RUN", "ACCURACY"],
    [
      [`${options.aggregator} against ${options.attack}`, percent(final.accuracy)],
      [`${options.aggregator}, nobody attacks`, percent(final.baselineAccuracyWithoutAttack)],
      [`plain mean against ${options.attack}`, percent(final.undefendedAccuracy)],
    ],
  );
}

/** The table at the end: every node and where its metrics are. */
export function showNodes(screen: Screen, mesh: LocalMesh): void {
  screen.line();
  screen.table(
    ["NODE", "ROLE", "PEERS", "SUITE", "RSS", "SPIFFE ID", "METRICS"],
    mesh.nodes.map((node) => {
      const { peers, suite, rssBytes, spiffeId, role } = nodeReport(node);
      const metrics = node.alive
        ? `http://${node.status?.node.metricsAddress ?? "off"}/metrics`
        : "(process ended)";
      return [
        node.name,
        role,
        String(peers),
        suite,
        `${Math.round(rssBytes / 2 ** 20)} MiB`,
        spiffeId,
        metrics,
      ];
    }),
  );
}

function nodeReport(node: LocalNode): DevReport["nodes"][number] {
  const { status, name, role } = node;
  return {
    name,
    nodeId: status?.node.nodeId ?? "",
    peerId: status?.node.peerId ?? "",
    spiffeId: status?.node.spiffeId ?? "",
    peers: node.alive ? connectedPeers(node) : 0,
    suite: status?.peers.find((peer) => peer.suite !== null)?.suite ?? "none",
    rssBytes: status?.process.rssBytes ?? 0,
    role,
  };
}
