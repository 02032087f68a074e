// Valid signatures only: whatever an honest node accepts was signed by the key of the node it names, judged by an
// engine that no fault touches; and a heartbeat reveals a link that its origin really published.

import { toHex } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { decodeRoundEvidence } from "../../learning/index.ts";
import {
  beaconContext,
  beaconKinds,
  decodeHeartbeat,
  decodeProof,
  decodeStateBeacon,
  decodeSummary,
  summaryContext,
} from "../../mesh/index.ts";
import type { Census, SimEngine } from "../census.ts";
import type { NodeIndex } from "../node-types.ts";
import { Checker } from "./checker.ts";

/** Heartbeats of one origin that are remembered: later ones than any delivery takes. */
const LINKS_MAX = 600;

/** Verifies again, apart from the code under test, what that code accepted. */
export class ValidSignatures extends Checker {
  readonly name = "valid-signatures";
  readonly #census: Census;
  readonly #engine: SimEngine;
  /** Gossip shares the bytes of a message, so that most are verified once for all observers. */
  readonly #genuine = new WeakSet<Uint8Array>();
  /** Per origin: what it published, by epoch and index. */
  readonly #links = new Map<NodeIndex, Map<string, string>>();
  readonly #liars: ReadonlySet<NodeIndex>;

  constructor(census: Census, engine: SimEngine, liars: ReadonlySet<NodeIndex>) {
    super();
    this.#census = census;
    this.#engine = engine;
    this.#liars = liars;
  }

  published(node: NodeIndex, bytes: Uint8Array): void {
    const decoded = decodeHeartbeat(bytes);
    if (!decoded.ok) return;
    const { epoch, index, link } = decoded.value;
    const links = this.#links.get(node) ?? new Map<string, string>();
    this.#links.set(node, links);
    links.set(`${epoch}/${index}`, toHex(link));
    const oldest = links.keys().next().value;
    if (links.size > LINKS_MAX && oldest !== undefined) links.delete(oldest);
  }

  accepted(observer: NodeIndex, bytes: Uint8Array, nowMs: number): void {
    this.checks++;
    if (this.#genuine.has(bytes)) return;
    const forged = this.#forgery(bytes);
    if (forged === undefined) this.#genuine.add(bytes);
    else this.report(nowMs, observer, forged.subject, forged.what);
  }

  #badEvidence(body: Uint8Array): { subject: NodeIndex; what: string } | undefined {
    const evidence = decodeRoundEvidence((bytes) => this.#engine.sha256(bytes), body);
    if (!evidence.ok) return { subject: -1, what: "accepted what is no message" };
    const { nodeId, parts, context } = evidence.value;
    return parts
      .map((part) => this.#badSignature(nodeId as NodeId, part, context))
      .find((bad) => bad !== undefined);
  }

  #forgery(bytes: Uint8Array): { subject: NodeIndex; what: string } | undefined {
    const heartbeat = decodeHeartbeat(bytes);
    if (heartbeat.ok) {
      const { nodeId, epoch, index, link } = heartbeat.value;
      const origin = this.#census.find(nodeId)?.index;
      if (origin === undefined) return { subject: -1, what: "accepted a stranger's heartbeat" };
      const known = this.#links.get(origin)?.get(`${epoch}/${index}`);
      if (this.#liars.has(origin) || known === toHex(link)) return undefined;
      return { subject: origin, what: `accepted heartbeat ${epoch}/${index} that it never sent` };
    }
    const summary = decodeSummary(bytes);
    if (summary.ok) {
      const { publisher } = summary.value.summary;
      return this.#badSignature(publisher, summary.value, summaryContext);
    }
    if (bytes[0] === beaconKinds.foreign) return this.#badEvidence(bytes.subarray(2));
    const proof = decodeProof(bytes);
    const beacons = proof.ok ? [proof.value.first, proof.value.second] : [];
    const state = decodeStateBeacon(bytes);
    if (state.ok) beacons.push(state.value);
    if (beacons.length === 0) return { subject: -1, what: "accepted what is no message" };
    for (const { beacon, ...message } of beacons) {
      const bad = this.#badSignature(beacon.nodeId, message, beaconContext);
      if (bad !== undefined) return bad;
    }
    return undefined;
  }

  #badSignature(
    origin: NodeId,
    { signed, signature }: { readonly signed: Uint8Array; readonly signature: Uint8Array },
    context: Uint8Array,
  ): { subject: NodeIndex; what: string } | undefined {
    const signer = this.#census.find(origin);
    if (signer === undefined) return { subject: -1, what: "accepted a stranger's message" };
    const { mldsa65 } = signer.identity;
    if (this.#engine.mlDsa65.verify(mldsa65, signed, signature, context)) return undefined;
    return { subject: signer.index, what: "accepted a message with a bad signature" };
  }
}
