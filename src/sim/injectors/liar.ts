// A dishonest member: it wraps an honest node, and while a trick is on it does that besides, on a timer of its
// own. It cannot sign for another: that is what the signatures are for. All else any member could do.

import type { MlDsaSigner } from "../../crypto/index.ts";
import { toHex } from "../../foundation/index.ts";
import {
  encodeNotice,
  FEATURES,
  type NoticeBody,
  noticeContext,
  symptomCodes,
} from "../../healing/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { decodeStateBeacon, encodeProof, encodeStateBeacon } from "../../mesh/index.ts";
import type { Now, WallMs } from "../../ports/index.ts";
import type { SimEngine } from "../census.ts";
import { HEALING_TOPIC } from "../healing/healing-node.ts";
import type { MeshDatagram } from "../mesh-datagrams.ts";
import type {
  GossipMessage,
  NodeAction,
  NodeEvent,
  NodeIndex,
  ReceiveResult,
  SimNode,
} from "../node-types.ts";
import type { SeededRandom } from "../random.ts";

/** What a liar can do. */
export type Trick =
  | "forge"
  | "replay"
  | "equivocate"
  | "false_evidence"
  | "sybil_flood"
  | "false_claims"
  | "false_lessons";

type Action = NodeAction<MeshDatagram>;

const TRICK_INTERVAL_MS = 1_000;
const TRICK_TIMER = "trick";
/** Messages that a liar keeps for later. */
const COLLECTED_MAX = 4_096;
/** A token that is held for as long as one may be. */
const CLAIM_MS = 30_000;
/** Playbooks that a liar praises and slanders. */
const PLAYBOOKS = ["rejoin", "redial", "resync", "renew", "compact", "free-memory", "shed"];
/** First byte of a signed state beacon. */
const STATE_KIND = 1;
/** Offset of a beacon's sequence or index in its bytes. */
const NUMBER_OFFSET = 38;

/** What a liar needs beside the honest node in it. */
export interface LiarParts {
  readonly honest: SimNode<MeshDatagram>;
  readonly nodeId: () => NodeId;
  /** Its own key: it may say two things in its own name. */
  readonly signer: MlDsaSigner;
  readonly engine: SimEngine;
  readonly random: SeededRandom;
  /** How many times a second the trick is done now; 0: it is off. */
  readonly rate: (trick: Trick) => number;
  /** The trick was really done. */
  readonly did: (trick: Trick) => void;
}

/** One liar. */
export class Liar implements SimNode<MeshDatagram> {
  readonly #parts: LiarParts;
  /** Messages of others, oldest first. */
  readonly #collected: GossipMessage[] = [];
  #notices = 0;

  constructor(parts: LiarParts) {
    this.#parts = parts;
  }

  handle(event: NodeEvent<MeshDatagram>, now: Now): readonly Action[] {
    if (event.kind === "timer" && event.id === TRICK_TIMER) return [...this.#tricks(), again()];
    const actions = this.#parts.honest.handle(event, now).flatMap((one) => this.#twoFaced(one));
    return event.kind === "started" ? [...actions, again()] : actions;
  }

  receive(message: GossipMessage, from: NodeIndex, now: Now): ReceiveResult<MeshDatagram> {
    this.#collected.push(message);
    if (this.#collected.length > COLLECTED_MAX) this.#collected.shift();
    return this.#parts.honest.receive(message, from, now);
  }

  passesOn(message: GossipMessage, to: NodeIndex): boolean {
    return this.#parts.honest.passesOn(message, to);
  }

  #tricks(): Action[] {
    return [
      ...this.#times("replay", () => this.#collected.shift()),
      ...this.#times("forge", () => this.#forged()),
      ...this.#times("false_evidence", () => this.#falseEvidence()),
      ...this.#times("sybil_flood", () => this.#sybil()),
      ...this.#times("false_claims", () => this.#notice({ kind: "claim", leftMs: CLAIM_MS })),
      ...this.#times("false_lessons", () => this.#notice(this.#falseLesson())),
    ];
  }

  #times(trick: Trick, make: () => Pick<GossipMessage, "topic" | "bytes"> | undefined): Action[] {
    const actions: Action[] = [];
    for (let left = this.#parts.rate(trick); left > 0; left--) {
      const message = make();
      if (message === undefined) break;
      this.#parts.did(trick);
      actions.push({ kind: "publish", topic: message.topic, bytes: message.bytes });
    }
    return actions;
  }

  /** Its own beacon, and the same again with another content. */
  #twoFaced(action: Action): Action[] {
    if (action.kind !== "publish" || this.#parts.rate("equivocate") === 0) return [action];
    const decoded = decodeStateBeacon(action.bytes);
    if (!decoded.ok) return [action];
    const { beacon } = decoded.value;
    const other = { ...beacon, load: beacon.load > 0.5 ? 0 : 1 };
    this.#parts.did("equivocate");
    return [action, { ...action, bytes: encodeStateBeacon(other, this.#parts.signer) }];
  }

  /** The newest message of another with the next number, which it cannot sign. */
  #forged(): Pick<GossipMessage, "topic" | "bytes"> | undefined {
    const newest = this.#collected.pop();
    if (newest === undefined || newest.bytes.length < NUMBER_OFFSET + 4) return undefined;
    const bytes = newest.bytes.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(NUMBER_OFFSET, view.getUint32(NUMBER_OFFSET) + 1);
    return { topic: newest.topic, bytes };
  }

  /** A proof of equivocation whose second half its victim never signed. */
  #falseEvidence(): Pick<GossipMessage, "topic" | "bytes"> | undefined {
    const beacon = this.#collected.findLast(({ bytes }) => bytes[0] === STATE_KIND);
    if (beacon === undefined) return undefined;
    const decoded = decodeStateBeacon(beacon.bytes);
    // Its own, which comes back when another liar replays it, would be a true proof against itself.
    if (!decoded.ok || decoded.value.beacon.nodeId === this.#parts.nodeId()) return undefined;
    const content = { ...decoded.value.beacon, load: this.#parts.random.fraction() };
    const forged = encodeStateBeacon(content, this.#parts.signer);
    return { topic: beacon.topic, bytes: encodeProof(beacon.bytes, forged) };
  }

  /** Something about healing, in its own name: others' it cannot sign. */
  #notice(body: NoticeBody): Pick<GossipMessage, "topic" | "bytes"> {
    const { nodeId, signer } = this.#parts;
    const notice = { nodeId: nodeId(), epoch: 1, number: ++this.#notices, body };
    const bytes = encodeNotice(notice, (unsigned) => signer.sign(unsigned, noticeContext));
    return { topic: HEALING_TOPIC, bytes };
  }

  /** What it never lived through: one playbook mended it, and all others made it worse. */
  #falseLesson(): NoticeBody {
    const { random } = this.#parts;
    const [code = "mesh/isolated"] = random.sample(symptomCodes, 1);
    const [good] = random.sample(PLAYBOOKS, 1);
    const startedMs = 0 as WallMs;
    const actions = PLAYBOOKS.map((playbook) => {
      const outcome = playbook === good ? ("mended" as const) : ("worse" as const);
      const action = "rejoin" as const;
      return { playbook, action, outcome, level: "act" as const, startedMs, reason: "" };
    });
    const symptom = { code, severity: "error" as const, firstSeenMs: startedMs, evidence: [] };
    const features = Float32Array.from({ length: FEATURES }, () => random.fraction());
    const incident = {
      ...{ id: `lie-${this.#notices}`, openedAtMs: startedMs, outcome: "mended" as const },
      ...{ symptoms: [symptom], cause: { code, why: "" }, features, actions, similar: [] },
    };
    return { kind: "lesson", incident };
  }

  /** The first beacon of somebody who does not exist. */
  #sybil(): Pick<GossipMessage, "topic" | "bytes"> | undefined {
    const { engine, random } = this.#parts;
    const template = this.#collected.findLast(({ bytes }) => bytes[0] === STATE_KIND);
    const decoded = template === undefined ? undefined : decodeStateBeacon(template.bytes);
    if (template === undefined || decoded?.ok !== true) return undefined;
    const signer = engine.mlDsa65.signer(random.bytes(32));
    const nodeId = toHex(random.bytes(32)) as NodeId;
    const beacon = { ...decoded.value.beacon, nodeId, epoch: 1, sequence: 1 };
    return { topic: template.topic, bytes: encodeStateBeacon(beacon, signer) };
  }
}

function again(): Action {
  return { kind: "set-timer", id: TRICK_TIMER, delayMs: TRICK_INTERVAL_MS };
}
