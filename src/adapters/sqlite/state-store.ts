// All local state of a daemon except the key seeds: its identity and trust, known peers, tasks, evidence. What is only an issuer's
// (join tokens, names, workloads) and what certified rounds leave have stores of their own here.
// Every method is one transaction; when it returns, a kill -9 loses nothing of it.

import type { DatabaseSync } from "node:sqlite";
import {
  ByteReader,
  concatBytes,
  fromBase64Url,
  fromHex,
  type MeshError,
  toBase64Url,
  toHex,
  uint32be,
} from "../../foundation/index.ts";
import type { NameRegistry, TokenStore } from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { openDatabase } from "./database.ts";
import { NameTable, TokenTable } from "./enrolment-tables.ts";
import { schemaVersion } from "./migrations.ts";
import { RoundStore } from "./round-store.ts";
import { blob, Statements, text, type WriteErrorCode } from "./statements.ts";
import { WorkloadStore } from "./workload-store.ts";

/** What enrolment gives a node, beside its keys. */
export interface StoredCredential {
  readonly trustDomain: string;
  readonly name: string;
  /** The trust bundle in SPIFFE's JSON form. */
  readonly bundle: string;
  /** DER certificates, leaf first. */
  readonly chain: readonly Uint8Array[];
}

/** The certificates of an issuer; their keys are seed files. */
export interface StoredIssuer {
  readonly root: Uint8Array;
  readonly intermediate: Uint8Array | undefined;
}

export interface StoredTask {
  readonly taskId: string;
  /** The signed manifest as it was received. */
  readonly signed: Uint8Array;
  readonly state: "running" | "finished" | "stopped" | "failed";
  /** The last round that was applied. */
  readonly round: number;
  /** Safetensors of the model after `round`. */
  readonly model: Uint8Array | undefined;
  /** JSON of the rounds' reports. */
  readonly history: string;
}

/** A statement about a node, as the mesh publishes it. */
export interface StoredStatement {
  readonly bytes: Uint8Array;
  readonly atMs: WallMs;
}

/** Known peers kept for the next start, and finished tasks kept for `fl status`. */
export const PEERS_KEPT = 64;
const PEERS_KEPT_MS = 90 * 86_400_000;
/** An epoch is at least the time in seconds; a node that crashed again and again may be ahead of it by its restarts. */
const RESTORE_EPOCH_MARGIN = 3_600;
const TASKS_KEPT = 16;
/** Share of unused pages from which the database is written anew to be rid of them. */
const VACUUM_SHARE = 0.25;

export class StateStore {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** Join tokens of an issuer. */
  readonly tokens: TokenStore;
  /** Which node holds which name, on an issuer. */
  readonly names: NameRegistry;
  /** What certified rounds leave. */
  readonly rounds: RoundStore;
  /** Registration entries and the log of issued SVIDs, on an issuer. */
  readonly workloads: WorkloadStore;

  /** @throws MeshError as {@link openDatabase} */
  constructor(directory: string) {
    this.#database = openDatabase(directory);
    const statements = (this.#statements = new Statements(this.#database));
    this.tokens = new TokenTable(statements);
    this.names = new NameTable(statements);
    this.rounds = new RoundStore(statements);
    this.workloads = new WorkloadStore(statements);
  }

  /** The last write's error, until a write succeeds again. */
  get writeError(): MeshError<WriteErrorCode> | undefined {
    return this.#statements.writeError;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** The boot counter of the last start. */
  epoch(): number {
    return Number(this.#fact("epoch") ?? 0);
  }

  /**
   * The boot counter of this start: above every earlier one, and at least the time in seconds, so that a disk
   * restored from a backup does not repeat an epoch. Committed before it is returned.
   */
  nextEpoch(nowMs: WallMs): number {
    const epoch = Math.max(this.epoch() + 1, Math.floor(nowMs / 1000));
    this.saveEpoch(epoch);
    return epoch;
  }

  /** Keeps a boot counter that the mesh knows to be higher. */
  saveEpoch(epoch: number): void {
    this.#saveFact("epoch", String(epoch));
  }

  /** The zone that this node was in last, when the mesh chose it. */
  zone(): string | undefined {
    return this.#fact("zone");
  }

  saveZone(zone: string): void {
    this.#saveFact("zone", zone);
  }

  /** The SPIFFE id of the issuer that this node joined through. */
  issuerId(): string | undefined {
    return this.#fact("issuer");
  }

  saveIssuerId(spiffeId: string): void {
    this.#saveFact("issuer", spiffeId);
  }

  credential(): StoredCredential | undefined {
    const row = this.#statements.get("SELECT * FROM credential");
    if (row === undefined) return undefined;
    return {
      trustDomain: text(row["trust_domain"]),
      name: text(row["name"]),
      bundle: text(row["bundle"]),
      chain: splitChain(blob(row["chain"])),
    };
  }

  saveCredential({ trustDomain, name, bundle, chain }: StoredCredential): void {
    this.#statements.run(
      "INSERT OR REPLACE INTO credential VALUES (1, ?, ?, ?, ?)",
      trustDomain,
      name,
      bundle,
      joinChain(chain),
    );
  }

  /** The trust bundle as a root signed it. */
  signedBundle(): Uint8Array | undefined {
    const signed = this.#fact("signed-bundle");
    return signed === undefined ? undefined : fromBase64Url(signed);
  }

  /** Keeps a newer bundle of this node's trust domain. */
  saveBundle(json: string, signed: Uint8Array): void {
    this.#statements.atomically(() => this.#saveBundle(json, signed));
  }

  #saveBundle(json: string, signed: Uint8Array): void {
    this.#statements.run("UPDATE credential SET bundle = ?", json);
    this.#saveFact("signed-bundle", toBase64Url(signed));
  }

  issuer(): StoredIssuer | undefined {
    const row = this.#statements.get("SELECT * FROM issuer");
    if (row === undefined) return undefined;
    const intermediate = row["intermediate"];
    return {
      root: blob(row["root"]),
      intermediate: intermediate === null ? undefined : blob(intermediate),
    };
  }

  saveIssuer({ root, intermediate }: StoredIssuer): void {
    this.#statements.run(
      "INSERT OR REPLACE INTO issuer VALUES (1, ?, ?)",
      root,
      intermediate ?? null,
    );
  }

  /** What an issuer without a root keeps of its keys for workloads, as JSON. */
  grantedKeys(): string | undefined {
    return this.#fact("granted-keys");
  }

  /** Keeps those, with the intermediate when there is a new one. */
  saveGranted(keys: string, issuer?: StoredIssuer): void {
    this.#statements.atomically(() => {
      this.#saveFact("granted-keys", keys);
      if (issuer !== undefined) this.saveIssuer(issuer);
    });
  }

  /** This host issues no longer. */
  forgetGranted(): void {
    this.#statements.atomically(() => {
      this.#dropFact("granted-keys");
      this.#statements.run("DELETE FROM issuer");
    });
  }

  /** What the holder of the root keeps of its authorities, as JSON. */
  trustState(): string | undefined {
    return this.#fact("trust-state");
  }

  /** A step of an authority with all that follows from it: the bundle, and the root whose intermediate is no longer used. */
  saveTrust(step: {
    readonly state: string;
    readonly bundle?: { readonly json: string; readonly signed: Uint8Array };
    readonly newRoot?: Uint8Array;
  }): void {
    const { state, bundle, newRoot } = step;
    this.#statements.atomically(() => {
      this.#saveFact("trust-state", state);
      if (bundle !== undefined) this.#saveBundle(bundle.json, bundle.signed);
      if (newRoot !== undefined) this.saveIssuer({ root: newRoot, intermediate: undefined });
    });
  }

  /** Whether an operator froze healing. */
  get isHealingFrozen(): boolean {
    return this.#fact("healing_frozen") !== undefined;
  }

  saveHealingFrozen(frozen: boolean): void {
    if (frozen) this.#saveFact("healing_frozen", "");
    else this.#dropFact("healing_frozen");
  }

  get schemaVersion(): number {
    return schemaVersion(this.#database);
  }

  /**
   * Gives back to the disk what the write-ahead log and deleted rows hold, and shows that writes succeed. The log first:
   * it needs no room itself. A disk without room for the rest is left as it is.
   * @throws MeshError `state/write-failed`
   */
  compact(): void {
    const checkpoint = (): void => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#statements.written(checkpoint);
    const pages = (name: string): number =>
      Number(this.#statements.get(`PRAGMA ${name}`)?.[name] ?? 0);
    if (pages("freelist_count") > VACUUM_SHARE * pages("page_count")) {
      try {
        this.#database.exec("VACUUM");
      } catch {
        // It writes the whole database anew, for which there is no room.
      }
      this.#statements.written(checkpoint);
    }
    this.saveEpoch(this.epoch());
  }

  /** Writes a consistent copy of the database; the file must not exist. @throws MeshError `state/write-failed` */
  snapshot(file: string): void {
    this.#statements.run("VACUUM INTO ?", file);
  }

  /**
   * Makes a restored state fit to be run although the mesh went on without it: the boot counter jumps over all epochs
   * that may have been used since the backup, as a repeated one is proof of equivocation, and join tokens end, as one
   * that was used since would be good for a second time. What was signed in trainings since then is not known.
   */
  settleRestored(nowMs: WallMs): void {
    this.#saveFact("restored_at_ms", String(nowMs));
    this.saveEpoch(Math.max(this.epoch(), Math.floor(nowMs / 1000)) + RESTORE_EPOCH_MARGIN);
    this.#statements.run("DELETE FROM tokens");
    this.#saveFact("restore_untold", "");
  }

  /** When this state was restored from a backup, if ever: of what was signed before, it may know less than others. */
  restoredAtMs(): WallMs | undefined {
    const atMs = this.#fact("restored_at_ms");
    return atMs === undefined ? undefined : (Number(atMs) as WallMs);
  }

  /** When a restore is still to be written into the audit log. */
  untoldRestoreAtMs(): WallMs | undefined {
    return this.#fact("restore_untold") === undefined ? undefined : this.restoredAtMs();
  }

  restoreTold(): void {
    this.#dropFact("restore_untold");
  }

  /**
   * Remembers where peers were reachable, by NodeId. Those beyond {@link PEERS_KEPT} are forgotten, and those not seen for 90 days.
   * Does not wait for the disk: a node that has lost the newest addresses with its power finds the mesh by others.
   */
  rememberPeers(peers: ReadonlyMap<string, readonly string[]>, nowMs: WallMs): void {
    this.#statements.unsynced(() => {
      for (const [nodeId, addresses] of peers) {
        const json = JSON.stringify(addresses);
        this.#statements.run("INSERT OR REPLACE INTO peers VALUES (?, ?, ?)", nodeId, json, nowMs);
      }
      this.#statements.run(
        "DELETE FROM peers WHERE (seen_at_ms < ? AND node_id <> '') OR node_id NOT IN (SELECT node_id FROM peers ORDER BY seen_at_ms DESC LIMIT ?)",
        nowMs - PEERS_KEPT_MS,
        PEERS_KEPT,
      );
    });
  }

  /** Addresses without a NodeId yet: an issuer's from a join token. They are the first to be forgotten. */
  rememberAddresses(addresses: readonly string[]): void {
    this.#statements.run(
      "INSERT OR REPLACE INTO peers VALUES ('', ?, 0)",
      JSON.stringify(addresses),
    );
  }

  /** Addresses of peers seen before, the most recent first. */
  knownAddresses(): string[] {
    return this.#statements
      .all("SELECT addresses FROM peers ORDER BY seen_at_ms DESC")
      .flatMap((row) => JSON.parse(text(row["addresses"])) as string[]);
  }

  saveTask(task: StoredTask, nowMs: WallMs): void {
    this.#statements.run(
      "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)",
      task.taskId,
      task.signed,
      task.state,
      task.round,
      task.model ?? null,
      task.history,
      nowMs,
    );
    this.#statements.run(
      "DELETE FROM tasks WHERE state != 'running' AND task_id NOT IN (SELECT task_id FROM tasks ORDER BY updated_at_ms DESC LIMIT ?)",
      TASKS_KEPT,
    );
    this.rounds.prune();
  }

  /** Whether a task was ever run here, as far as tasks are kept. */
  knowsTask(taskId: string): boolean {
    return (
      this.#statements.get("SELECT 1 AS known FROM tasks WHERE task_id = ?", taskId) !== undefined
    );
  }

  /** Keeps the one order about a task that counts; orders about forgotten tasks are forgotten. */
  saveTaskOrder(taskId: string, signed: Uint8Array): void {
    this.#saveFact(orderName(taskId), toHex(signed));
    this.#statements.run(
      "DELETE FROM facts WHERE name GLOB 'task-order/*' AND substr(name, 12) NOT IN (SELECT task_id FROM tasks)",
    );
  }

  taskOrder(taskId: string): Uint8Array | undefined {
    const signed = this.#fact(orderName(taskId));
    return signed === undefined ? undefined : fromHex(signed);
  }

  /** The task that was worked on last. */
  latestTask(): StoredTask | undefined {
    const row = this.#statements.get(
      "SELECT * FROM tasks ORDER BY updated_at_ms DESC, rowid DESC LIMIT 1",
    );
    if (row === undefined) return undefined;
    return {
      taskId: text(row["task_id"]),
      signed: blob(row["signed"]),
      state: text(row["state"]) as StoredTask["state"],
      round: Number(row["round"]),
      model: row["model"] === null ? undefined : blob(row["model"]),
      history: text(row["history"]),
    };
  }

  /** What is kept of other trust domains, each as its JSON text. */
  federations(): string[] {
    const rows = this.#statements.all(
      "SELECT value FROM facts WHERE name GLOB 'federation/*' ORDER BY name",
    );
    return rows.map((row) => text(row["value"]));
  }

  /** Keeps what there is of a trust domain, or forgets it. Whoever calls bounds their number. */
  saveFederation(trustDomain: string, json: string | undefined): void {
    const name = `federation/${trustDomain}`;
    if (json === undefined) this.#dropFact(name);
    else this.#saveFact(name, json);
  }

  /** Proofs against nodes and releases of them, one a node, the oldest first. */
  evidence(): StoredStatement[] {
    return this.#statements
      .all("SELECT statement, at_ms FROM evidence ORDER BY rowid")
      .map((row) => ({
        bytes: blob(row["statement"]),
        atMs: Number(row["at_ms"]) as WallMs,
      }));
  }

  /** Keeps the one statement about a node that counts; `undefined` forgets it. Whoever calls bounds their number. */
  saveEvidence(nodeId: string, statement: StoredStatement | undefined): void {
    if (statement === undefined)
      this.#statements.run("DELETE FROM evidence WHERE node_id = ?", nodeId);
    else
      this.#statements.run(
        "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)",
        nodeId,
        statement.bytes,
        statement.atMs,
      );
  }

  #fact(name: string): string | undefined {
    const row = this.#statements.get("SELECT value FROM facts WHERE name = ?", name);
    return row === undefined ? undefined : text(row["value"]);
  }

  #saveFact(name: string, value: string): void {
    this.#statements.run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value);
  }

  #dropFact(name: string): void {
    this.#statements.run("DELETE FROM facts WHERE name = ?", name);
  }
}

function orderName(taskId: string): string {
  return `task-order/${taskId}`;
}

/** A chain as one blob: `uint32 length || DER` for each certificate. */
function joinChain(chain: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...chain.flatMap((der) => [uint32be(der.length), der]));
}

function splitChain(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes);
  const chain: Uint8Array[] = [];
  while (reader.remaining > 0) chain.push(reader.take(reader.uint32be()));
  return chain;
}
