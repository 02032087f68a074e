// What goes into and comes out of the round machine, and what its messages say.
//
// A round: every participant trains and commits to its update with a signed header; others fetch the update and say so
// in holding statements; a Byzantine agreement (agreement.ts) decides once which headers are in, or that the round is
// void; the decision's digest seeds what is random; everyone computes the same model and signs its digest; a quorum of
// those signatures is the round's certificate, and each certificate names the one before it.

import type { MlDsa, MlDsaSigner } from "../../crypto/index.ts";
import type { Meter } from "../../ports/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import type { RoundPolicy } from "./policy.ts";

/** SHA-256, 64 lower-case hex digits. */
export type Digest = string;

/** What a participant says of its update when it commits to it. */
export interface UpdateFacts {
  /** Root of the update's chunks. */
  readonly update: Digest;
  /** Length of the encoded update, 1..2^32-1. */
  readonly bytes: number;
  /** How the update is compressed: the task's number for it, 0..255. */
  readonly codec: number;
  /** What the participant tells about itself (its loss, say): at most 64 bytes. Certified to be said, not to be true. */
  readonly note: Uint8Array;
}

/** A participant's commitment to one update: one for each participant and round. */
export interface UpdateHeader extends UpdateFacts {
  /** Of the signed bytes: the name of the header everywhere else. */
  readonly digest: Digest;
  readonly nodeId: ParticipantId;
  /** The round that it was committed in. */
  readonly round: number;
  /** The certified round whose model was trained from, 0 for the task's initial one; `round - 1` unless it is stale. */
  readonly baseRound: number;
  readonly baseModel: Digest;
}

/** What the agreement decides of a round: these headers, at most one for each participant, ascending by node id; or void. */
export type Decision =
  | { readonly kind: "void" }
  | { readonly kind: "set"; readonly entries: readonly DecidedHeader[] };

/** A header in a decided set. */
export interface DecidedHeader {
  readonly nodeId: ParticipantId;
  readonly header: Digest;
}

/** What every honest participant computes alike from a decided set. */
export interface ComputedResult {
  readonly model: Digest;
  /** Of what explains the model: the weight of each participant. */
  readonly weights: Digest;
  /** What else must be certified (loss, step size, end of the task), canonically encoded; at most 256 bytes. */
  readonly summary: Uint8Array;
}

/** A certified round. Its digest leaves the signatures out: whichever quorum signed, it is the same certificate. */
export interface Certificate {
  readonly digest: Digest;
  readonly task: Digest;
  readonly round: number;
  /** Digest of the certificate before; of the first round the task's own, {@link genesisDigest}. */
  readonly previous: Digest;
  readonly decision: Decision;
  /** Of a void round: the model before, and no weights. */
  readonly result: ComputedResult;
  /** Of the aggregation rule and its parameters. */
  readonly rule: Digest;
  /** Ascending by signer. */
  readonly signatures: readonly {
    readonly nodeId: ParticipantId;
    readonly signature: Uint8Array;
  }[];
}

/** At most one timer of each id is set: setting it again replaces the one before. */
export type RoundTimerId = "deadline" | "view" | "republish";

/** An event for `RoundMachine.handle`. Those of another round change nothing. */
export type RoundEvent =
  /** Once, first. */
  | { readonly kind: "started" }
  /** Once, last. */
  | { readonly kind: "stopping" }
  /** A timer of a `set-timer` action ran out. */
  | { readonly kind: "timer"; readonly id: RoundTimerId }
  /** Training from the model of `baseRound` has ended; the update is stored durably and can be served. */
  | { readonly kind: "trained"; readonly baseRound: number; readonly facts: UpdateFacts }
  /** The update of this header is here, matches its digest, decodes and is sound: others can fetch it from here. */
  | { readonly kind: "update-available"; readonly header: Digest }
  /** The update matches its digest, but what it holds is not sound (not finite, another shape): it is never held. */
  | { readonly kind: "update-refused"; readonly header: Digest }
  /** This model is here, and matches its digest. */
  | { readonly kind: "model-available"; readonly model: Digest }
  /** Every answer to a `sync` was given to `receive`, or there was none. */
  | { readonly kind: "synced"; readonly nodeId: ParticipantId }
  /** Training or computing came to nothing (its thread died, say): it is asked for again with the next repetition. */
  | { readonly kind: "work-failed"; readonly work: "train" | "aggregate"; readonly round: number }
  /** The outcome of `aggregate`; the model is stored durably and can be served. */
  | { readonly kind: "aggregated"; readonly round: number; readonly result: ComputedResult };

/** An effect that the driver must carry out, in the order given. */
export type RoundAction =
  /** Gossip to all participants. */
  | { readonly kind: "publish"; readonly bytes: Uint8Array }
  /**
   * Add these messages to the journal of the round, in one transaction, durable before any later action is carried out:
   * a node that forgets what it signed may sign its opposite. A restart gives the journal back ({@link RoundResume}).
   */
  | { readonly kind: "persist"; readonly round: number; readonly messages: readonly Uint8Array[] }
  /** Train from this model, then `trained`. A trainer that is still busy with an older round may go on with that. */
  | { readonly kind: "train"; readonly round: number; readonly model: Digest }
  /** Fetch an update from any of the holders, then `update-available` or `update-refused`. Comes again while it is missing. */
  | {
      readonly kind: "fetch-update";
      readonly header: UpdateHeader;
      readonly holders: readonly ParticipantId[];
    }
  /** Fetch the certified model of a round, then `model-available`. Comes again while it is missing. */
  | {
      readonly kind: "fetch-model";
      readonly round: number;
      readonly model: Digest;
      readonly holders: readonly ParticipantId[];
    }
  /** Compute the round's model from these updates (ascending by node id; all of them are available), then `aggregated`. */
  | {
      readonly kind: "aggregate";
      readonly round: number;
      readonly baseModel: Digest;
      /** Seeds everything random of the round: nobody knew it when the updates were committed. */
      readonly beacon: Digest;
      readonly headers: readonly UpdateHeader[];
    }
  /**
   * A certified round. Store the certificate and drop the journals of its round and before, in one transaction. `own` is
   * whether this node computed the same result; `other`: it did not, by a bug here or an attack there (`learning/diverged`).
   */
  | {
      readonly kind: "certified";
      readonly certificate: Certificate;
      readonly bytes: Uint8Array;
      readonly own: "same" | "other" | "none";
    }
  /** A participant contradicted itself under its signature: a proof that convinces anyone with its key. Keep it, hand it on. */
  | { readonly kind: "evidence"; readonly nodeId: ParticipantId; readonly proof: Uint8Array }
  /** Send this to `answer` of the peer's machine over a stream; give each of the answers to `receive` here, then `synced`. */
  | { readonly kind: "sync"; readonly nodeId: ParticipantId; readonly bytes: Uint8Array }
  | { readonly kind: "set-timer"; readonly id: RoundTimerId; readonly delayMs: number }
  /** All results are in and none has a quorum: the computation is not the same everywhere. An operator must look. */
  | { readonly kind: "split"; readonly round: number }
  /** The task's last round is certified. The machine goes on answering those that lag. */
  | { readonly kind: "finished"; readonly round: number };

/** What a message was taken for. */
export type RoundMessageKind =
  | "header"
  | "statement"
  | "proposal"
  | "prevote"
  | "precommit"
  | "result"
  | "certificate"
  | "proof";

/**
 * The verdict on a message. `accept`: forward it. `ignore`: drop it without blame (late, doubled, ahead). `reject`: drop it
 * and score the peer that sent it. The actions are to be carried out with every verdict.
 */
export type RoundVerdict =
  | {
      readonly verdict: "accept";
      readonly kind: RoundMessageKind;
      readonly actions: readonly RoundAction[];
    }
  | {
      readonly verdict: "ignore" | "reject";
      readonly code: ProtocolRefusalCode;
      readonly actions: readonly RoundAction[];
    };

/** What an earlier run left. */
export interface RoundResume {
  /** The newest certificate, as `certified` gave it; absent before the first. */
  readonly certificate?: Uint8Array;
  /** Every message of `persist` actions for the round after it, in their order. */
  readonly journal: readonly Uint8Array[];
  /** Proofs of earlier `evidence` actions. */
  readonly proofs: readonly Uint8Array[];
}

/** What the machine uses. */
export interface RoundDeps {
  readonly sha256: (data: Uint8Array) => Uint8Array;
  readonly mlDsa: Pick<MlDsa, "verify">;
  readonly signer: MlDsaSigner;
  readonly meter: Meter;
  /** The verified ML-DSA-65 key of a participant; undefined while it is unknown. */
  readonly publicKeyOf: (nodeId: ParticipantId) => Uint8Array | undefined;
  /** A stored certificate of this task. */
  readonly certificateAt: (round: number) => Uint8Array | undefined;
}

/** Which node of which task this is. */
export interface RoundOptions {
  readonly self: ParticipantId;
  /** {@link taskDigest} */
  readonly task: Digest;
  /** Ascending, at most 64; n > 3 * byzantine. */
  readonly participants: readonly ParticipantId[];
  readonly byzantine: number;
  /** How many rounds the task has. */
  readonly rounds: number;
  readonly initialModel: Digest;
  /** Whether the initial model is here; else the machine has it fetched. @default true */
  readonly initialHere?: boolean;
  /** Longest encoded update. */
  readonly updateBytesMax: number;
  /** Of the aggregation rule and its parameters. */
  readonly rule: Digest;
  readonly policy: RoundPolicy;
  /** Whether the task ends with this certificate although rounds are left: converged. @default never */
  readonly isLast?: (certificate: Certificate) => boolean;
  /**
   * How long a step of the agreement's first view waits; each further view waits that much longer. Raising it slows the
   * answer to a dead proposer; below twice the gossip's latency views fail for nothing. @default 2000
   */
  readonly viewTimeoutMs?: number;
  /** How often own messages are repeated while a round is open, and a peer is asked for what is missing. @default 3000 */
  readonly republishMs?: number;
  readonly resume?: RoundResume;
}

/** Where a round stands. */
export interface RoundStatus {
  /** The round under way; one past the last after the end. */
  readonly round: number;
  readonly phase: "collecting" | "agreeing" | "computing" | "certifying" | "finished";
  /** Of the agreement; -1 before it starts. */
  readonly view: number;
  /** Updates that are here. */
  readonly held: number;
  readonly headers: number;
  readonly statements: number;
  readonly results: number;
  readonly model: Digest;
  /** Whether the model is here. */
  readonly modelHere: boolean;
  /** Proven to have contradicted themselves: out of every set. Ascending. */
  readonly faulty: readonly ParticipantId[];
}
