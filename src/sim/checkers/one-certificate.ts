// One certificate: whatever the faults, no two certificates of one round exist, and each that an honest participant holds is
// signed by a quorum, as an engine finds that no fault touches.

import {
  type Certificate,
  type Population,
  population,
  verifyCertificate,
} from "../../learning/index.ts";
import type { Census, SimEngine } from "../census.ts";
import type { LearningListener } from "../learning/learning-types.ts";
import type { LearningWorld } from "../learning/learning-world.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { Checker } from "./checker.ts";

/** What it looks at of a swarm. */
type View = Pick<Swarm, "nowMs" | "isHealthy"> & { readonly census: Pick<Census, "all"> };

/** Compares certificates. */
export class OneCertificate extends Checker implements LearningListener {
  readonly name = "one-certificate";
  readonly #swarm: View;
  readonly #engine: SimEngine;
  readonly #participants: Population;
  readonly #digests = new Map<number, string>();

  constructor(swarm: View, { task: { manifest } }: Pick<LearningWorld, "task">, engine: SimEngine) {
    super();
    this.#swarm = swarm;
    this.#engine = engine;
    this.#participants = population(manifest.participants, manifest.byzantine);
  }

  roundCertified(node: NodeIndex, certificate: Certificate): void {
    const { round, digest } = certificate;
    this.checks++;
    const first = this.#digests.get(round) ?? digest;
    this.#digests.set(round, first);
    const say = (what: string): void => this.report(this.#swarm.nowMs, node, node, what);
    if (first !== digest) say(`has a second certificate of round ${round}`);
    // A node whose own signatures are bad assembles certificates that only it believes.
    if (!this.#swarm.isHealthy(node)) return;
    const { census } = this.#swarm;
    const verifier = {
      sha256: (data: Uint8Array) => this.#engine.sha256(data),
      mlDsa: this.#engine.mlDsa65,
      publicKeyOf: (id: string) =>
        census.all.find(({ identity }) => identity.nodeId === id)?.identity.mldsa65,
    };
    const holds = verifyCertificate(verifier, certificate, this.#participants);
    if (!holds) say(`took a certificate of round ${round} that no quorum signed`);
  }
}
