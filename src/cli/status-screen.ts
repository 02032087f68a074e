// The status screen: who this node is, what it sees, what it learns and what ails it, at one glance.

import type { Health, LearningStatus, Peer, Status } from "../control/index.ts";
import type { Screen } from "./cli.ts";
import {
  ageText,
  bytesText,
  msText,
  percentText,
  relativeText,
  shortId,
  spanText,
  suiteText,
  timeText,
} from "./format.ts";
import {
  type Cell,
  type Column,
  cell,
  paint,
  plainText,
  renderBar,
  renderFields,
  renderTable,
  type Tone,
} from "./table.ts";

/** Peers that the screen shows; the rest is counted. */
export const statusPeersMax = 12;

const barWidth = 24;

/** The whole screen, ending with a newline. */
export function drawStatus(status: Status, screen: Screen): string {
  const parts = [
    drawNode(status, screen),
    drawPeers(status.peers, screen),
    status.learning === null ? "" : drawLearning(status.learning, screen),
    drawHealth(status.health, screen),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

const nodeTone: Readonly<Record<Status["node"]["state"], Tone>> = {
  running: "good",
  starting: "warn",
  stopping: "warn",
  degraded: "bad",
  unenrolled: "warn",
};

function drawNode({ node, svid, process }: Status, screen: Screen): string {
  const { colours, columns } = screen;
  const now = screen.nowMs();
  const title = `${paint(plainText(node.name ?? "this node"), "bold", colours)} is ${paint(node.state, nodeTone[node.state], colours)}`;
  const fields: [string, Cell][] = [
    [
      "identity",
      cell(
        node.spiffeId ?? "none yet: run meshctl init or meshctl join",
        node.spiffeId === null ? "warn" : "plain",
      ),
    ],
    ["ids", cell(`node ${shortId(node.nodeId ?? "–")}, peer ${node.peerId ?? "–"}`)],
    ["SVID", svidCell(svid, now)],
    ["crypto", cell(`${node.engine} engine, handshake ${node.handshakePolicy}`)],
    [
      "mesh",
      cell(`zone ${zoneText(node)}, epoch ${node.epoch}, roles ${node.roles.join(", ") || "none"}`),
    ],
    ["addresses", cell(node.addresses.join(" ") || "none")],
    [
      "metrics",
      cell(node.metricsAddress === null ? "off" : `http://${node.metricsAddress}/metrics`),
    ],
    [
      "process",
      cell(
        `up ${spanText(now - Date.parse(node.startedAt))}, pid ${node.pid}, ${bytesText(process.rssBytes)}, ` +
          `event loop lag p99 ${msText(process.eventLoopLagP99Ms)}, version ${node.version}`,
      ),
    ],
  ];
  return `${title}\n${renderFields(fields, colours, columns)}`;
}

function svidCell(svid: Status["svid"], nowMs: number): Cell {
  if (svid === null) return cell("none", "warn");
  const until = `${timeText(svid.notAfter)} (${relativeText(svid.notAfter, nowMs)})`;
  if (Date.parse(svid.notAfter) <= nowMs) return cell(`expired ${until}`, "bad");
  const overdue = Date.parse(svid.renewAt) <= nowMs;
  const renewal = overdue ? "renewal overdue since" : "renewal";
  const from = svid.source === "workload-api" ? ", from the Workload API" : "";
  const kind = svid.classical ? ", classical (P-256)" : "";
  return cell(
    `expires ${until}, ${renewal} ${relativeText(svid.renewAt, nowMs)}${from}${kind}`,
    overdue ? "warn" : "good",
  );
}

const peerTone: Readonly<Record<Peer["state"], Tone>> = {
  quarantined: "bad",
  dead: "bad",
  suspect: "warn",
  joining: "warn",
  alive: "good",
  left: "dim",
};

/** States from the one to look at first. */
const peerOrder: readonly Peer["state"][] = [
  "quarantined",
  "suspect",
  "dead",
  "joining",
  "alive",
  "left",
];

const peerColumns: readonly Column[] = [
  { head: "PEER", widthMax: 24 },
  { head: "STATE" },
  { head: "LINK", widthMax: 20 },
  { head: "SUITE", widthMax: 28 },
  { head: "RTT", align: "right" },
  { head: "LOSS", align: "right" },
  { head: "BEACON", align: "right" },
  { head: "SCORE", align: "right" },
  { head: "REP", align: "right" },
  { head: "LAST ERROR", widthMax: 36 },
];

/** The peers, those in trouble first, at most `peersMax` of them. */
export function drawPeers(
  peers: readonly Peer[],
  screen: Screen,
  peersMax = statusPeersMax,
): string {
  const title = paint(`Peers: ${peerCounts(peers)}`, "bold", screen.colours);
  if (peers.length === 0) return `${title}\n`;
  const sorted = peers.toSorted(
    (a, b) =>
      peerOrder.indexOf(a.state) - peerOrder.indexOf(b.state) || a.name.localeCompare(b.name, "en"),
  );
  const rows = sorted
    .slice(0, peersMax)
    .map((peer) => [
      cell(peer.name),
      cell(peer.state, peerTone[peer.state]),
      linkCell(peer),
      cell(suiteText(peer.suite)),
      cell(msText(peer.rttMs)),
      cell(percentText(peer.lossRatio)),
      cell(ageText(peer.lastBeaconAgeMs)),
      peer.score === null
        ? cell("–", "dim")
        : cell(peer.score.toFixed(1), peer.score < 0 ? "bad" : "plain"),
      cell(String(peer.reputation), peer.reputation < 0 ? "bad" : "dim"),
      cell(peer.lastErrorCode ?? "–", peer.lastErrorCode === null ? "dim" : "warn"),
    ]);
  const hidden = peers.length - rows.length;
  const more = hidden === 0 ? "" : `  … and ${hidden} more: meshctl peers\n`;
  return `${title}\n${renderTable(peerColumns, rows, screen)}${more}`;
}

function linkCell({ connected, relay }: Peer): Cell {
  if (!connected) return cell("○ –", "dim");
  return relay === null ? cell("● up", "good") : cell(`◐ via ${relay}`, "warn");
}

function peerCounts(peers: readonly Peer[]): string {
  const counts = peerOrder
    .map((state) => ({ state, count: peers.filter((peer) => peer.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`);
  return counts.join(", ") || "none";
}

const taskTone: Readonly<Record<LearningStatus["state"], Tone>> = {
  running: "good",
  finished: "plain",
  stopped: "warn",
  failed: "bad",
};

/** The training task with its progress and its last round. */
export function drawLearning(task: LearningStatus, screen: Screen): string {
  const { colours, columns } = screen;
  const title = `${paint(`Training ${plainText(task.name)}`, "bold", colours)}: ${paint(task.state, taskTone[task.state], colours)}`;
  const ratio = task.rounds === 0 ? 0 : task.round / task.rounds;
  const last = task.history.at(-1);
  const rejected = last?.rejected.join(", ") ?? "";
  const loss = task.loss === null ? "–" : task.loss.toFixed(4);
  const fields: [string, Cell][] = [
    ["round", cell(`${renderBar(ratio, barWidth)} ${task.round}/${task.rounds}`)],
    ["model", cell(`loss ${loss}, accuracy ${percentText(task.accuracy)}`)],
    [
      "rule",
      cell(
        `${task.aggregator}, at most ${task.byzantine} of ${task.participants.length} lying` +
          (task.attack === "none" ? "" : `; adversaries attack by ${task.attack}`),
        task.attack === "none" ? "plain" : "warn",
      ),
    ],
  ];
  if (task.anomaly !== null) {
    const { score, channel } = task.anomaly;
    fields.push(["anomaly", cell(`${score.toFixed(3)}, most of it in ${plainText(channel)}`)]);
  }
  if (last !== undefined) {
    const outcome = last.held ? "model held" : `${last.contributors} contributed`;
    fields.push([
      "last round",
      cell(
        rejected === "" ? outcome : `${outcome}, rejected ${rejected}`,
        last.held ? "warn" : "plain",
      ),
    ]);
  }
  return `${title}\n${renderFields(fields, colours, columns)}`;
}

const healthTone: Readonly<Record<Health["severity"], Tone>> = {
  info: "plain",
  warning: "warn",
  error: "bad",
};

function drawHealth(health: readonly Health[], screen: Screen): string {
  if (health.length === 0) return `${paint("Health: nothing to report", "good", screen.colours)}\n`;
  const rows = health.map(({ severity, code, message }) => [
    cell(severity, healthTone[severity]),
    cell(code),
    cell(message),
  ]);
  const columns = [
    { head: "SEVERITY" },
    { head: "CODE" },
    { head: "WHAT", widthMax: 320, wraps: true },
  ];
  return `${paint("Health", "bold", screen.colours)}\n${renderTable(columns, rows, screen)}`;
}

function zoneText({ zone, zoneMembers, zonesKnown }: Status["node"]): string {
  if (zoneMembers === undefined || zonesKnown === undefined) return zone;
  return `${zone} (${zoneMembers} ${zoneMembers === 1 ? "member" : "members"}, ${zonesKnown} ${zonesKnown === 1 ? "zone" : "zones"} known)`;
}
