// The X.509-SVIDs of this node's workloads, with their keys, in memory. One for each entry and kind of certificate; renewed at half of
// its life, kept over any absence of issuers until it expires.

import { newWorkloadKey, type WorkloadKey } from "../../adapters/crypto/workload-key.ts";
import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { concatBytes, equalBytes, MeshError } from "../../foundation/index.ts";
import {
  algorithmsOf,
  type CertificateAlgorithm,
  type NodeId,
  possessionMessage,
  type RegistrationEntry,
  renewalRetryMs,
  renewalTime,
  rootIdsOf,
  signerOf,
  type SvidRequest,
  type SvidResponse,
  type TrustBundle,
  verifyWorkloadSvid,
} from "../../identity/index.ts";
import type { Clock, Random, WallMs } from "../../ports/index.ts";

/** SVIDs that are asked for at once. */
const REQUESTS_MAX = 4;

/** An SVID in use. */
export interface HeldSvid {
  readonly chain: Uint8Array;
  /** PKCS#8. A secret. */
  readonly key: Uint8Array;
  readonly notBeforeMs: WallMs;
  readonly notAfterMs: WallMs;
  readonly renewAtMs: WallMs;
  /** Key identifier of the root that it leads to. */
  readonly signer: string;
}

export interface HeldSvidsDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly random: Random;
  readonly clock: Clock;
  readonly self: NodeId;
  readonly bundle: () => TrustBundle;
  readonly ask: (request: SvidRequest) => Promise<SvidResponse>;
  /** One attempt has ended. */
  readonly attempted: (result: "ok" | "failed", entry: string, error?: unknown) => void;
}

interface Slot {
  /** The entry as it was when the SVID was made. */
  readonly text: string;
  held: HeldSvid | undefined;
  failures: number;
  retryAtMs: number;
}

export class HeldSvids {
  readonly #deps: HeldSvidsDeps;
  readonly #slots = new Map<string, Slot>();

  constructor(deps: HeldSvidsDeps) {
    this.#deps = deps;
  }

  /** The SVID of an entry, if there is one that has not expired. */
  find({ id }: RegistrationEntry, algorithm: CertificateAlgorithm): HeldSvid | undefined {
    const held = this.#slots.get(`${id} ${algorithm}`)?.held;
    return held !== undefined && this.#deps.clock.now().wallMs < held.notAfterMs ? held : undefined;
  }

  /** All that are held, expired ones included. */
  all(): HeldSvid[] {
    return [...this.#slots.values()].flatMap(({ held }) => held ?? []);
  }

  /** Another bundle counts: what it does not vouch for is not handed out any more, and what is tainted is due. */
  bundleChanged(): void {
    const bundle = this.#deps.bundle();
    const roots = rootIdsOf(bundle);
    const { wallMs } = this.#deps.clock.now();
    for (const slot of this.#slots.values()) {
      const { held } = slot;
      if (held === undefined) continue;
      if (!roots.includes(held.signer)) slot.held = undefined;
      else if (bundle.notes?.tainted.includes(held.signer))
        slot.held = { ...held, renewAtMs: wallMs };
    }
  }

  /** Forgets what has no entry any more, and fetches what is missing or due. @returns whether anything changed */
  async keep(entries: readonly RegistrationEntry[]): Promise<boolean> {
    const wanted = entries.flatMap((entry) =>
      algorithmsOf(entry.profile).map((algorithm) => ({ entry, algorithm })),
    );
    const names = new Set(wanted.map(({ entry, algorithm }) => `${entry.id} ${algorithm}`));
    let isChanged = false;
    for (const name of this.#slots.keys())
      if (!names.has(name)) isChanged = this.#slots.delete(name) || isChanged;
    const due = wanted.filter((one) => this.#isDue(one));
    const work = async (): Promise<void> => {
      for (let next = due.shift(); next !== undefined; next = due.shift())
        isChanged = (await this.#renew(next)) || isChanged;
    };
    await Promise.all(Array.from({ length: REQUESTS_MAX }, work));
    return isChanged;
  }

  #slot({ entry, algorithm }: Wanted): Slot {
    const name = `${entry.id} ${algorithm}`;
    const text = JSON.stringify(entry);
    const known = this.#slots.get(name);
    if (known?.text === text) return known;
    const slot: Slot = { text, held: undefined, failures: 0, retryAtMs: 0 };
    this.#slots.set(name, slot);
    return slot;
  }

  #isDue(wanted: Wanted): boolean {
    const { held, retryAtMs } = this.#slot(wanted);
    const { wallMs, monoMs } = this.#deps.clock.now();
    if (monoMs < retryAtMs) return false;
    // One of the future was made before a clock was put back.
    return held === undefined || wallMs >= held.renewAtMs || wallMs < held.notBeforeMs;
  }

  /** A new key each time: an SVID's key lives no longer than the SVID. */
  async #renew(wanted: Wanted): Promise<boolean> {
    const { clock, random, attempted } = this.#deps;
    const slot = this.#slot(wanted);
    try {
      slot.held = await this.#fetch(wanted);
      slot.failures = 0;
      attempted("ok", wanted.entry.id);
      return true;
    } catch (error) {
      const { wallMs, monoMs } = clock.now();
      const leftMs = Math.max(0, (slot.held?.notAfterMs ?? wallMs) - wallMs);
      slot.retryAtMs = monoMs + renewalRetryMs(++slot.failures, leftMs, random);
      attempted("failed", wanted.entry.id, error);
      return false;
    }
  }

  async #fetch({ entry, algorithm }: Wanted): Promise<HeldSvid> {
    const { self: node, ask, random } = this.#deps;
    const key = newWorkloadKey(this.#deps, algorithm);
    const { publicKey } = key;
    const proof = key.prove(possessionMessage({ node, entry: entry.id, algorithm, publicKey }));
    const answer = await ask({ op: "x509", entry: entry.id, algorithm, publicKey, proof });
    if (answer.result === "refused")
      throw new MeshError(answer.code, `The issuer refused an SVID: ${answer.code}.`);
    if (answer.result !== "x509") throw notOurs();
    const validity = this.#verify({ entry, algorithm }, key, answer.chain);
    return {
      chain: concatBytes(...answer.chain),
      key: key.pkcs8,
      notBeforeMs: validity.notBeforeMs,
      notAfterMs: validity.notAfterMs,
      renewAtMs: renewalTime(validity, random),
      signer: signerOf(answer.chain, algorithm) ?? "",
    };
  }

  /** What is handed on was verified here: for this id and key, and by the bundle that workloads get. */
  #verify({ entry, algorithm }: Wanted, key: WorkloadKey, chain: readonly Uint8Array[]) {
    const { engine, bundle, clock } = this.#deps;
    const verified = verifyWorkloadSvid({
      ...{ engine, es256: nativeEs256, algorithm, chain },
      bundle: bundle(),
      nowMs: clock.now().wallMs,
    });
    if (!verified.ok)
      throw new MeshError(verified.code, `The issuer's SVID is not valid: ${verified.code}.`);
    const { spiffeId, publicKey } = verified.value;
    if (spiffeId !== entry.spiffeId || !equalBytes(publicKey, key.publicKey)) throw notOurs();
    return verified.value;
  }
}

interface Wanted {
  readonly entry: RegistrationEntry;
  readonly algorithm: CertificateAlgorithm;
}

function notOurs(): MeshError {
  return new MeshError(
    "identity/svid-not-ours",
    "The issuer answered with another SVID than the one asked for. Look at the issuer's log.",
  );
}
