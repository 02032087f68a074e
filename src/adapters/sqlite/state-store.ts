// All local state of a daemon except the key seeds: identity, tokens, known peers, learning tasks.
// Every method is one transaction; when it returns, a kill -9 loses nothing of it.

import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import {
  ByteReader,
  concatBytes,
  errorMessage,
  fromBase64Url,
  fromHex,
  MeshError,
  toBase64Url,
  toHex,
  uint32be,
} from "../../foundation/index.ts";
import {
  type NameClaim,
  type NameRegistry,
  NAMES_MAX,
  type NodeId,
  type TokenRecord,
  TOKENS_MAX,
  type TokenStore,
} from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { openDatabase } from "./database.ts";
import { RoundStore, type Statements } from "./round-store.ts";
import type { StateErrorCode } from "./state-error-code.ts";
import { schemaVersion } from "./migrations.ts";
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

type WriteErrorCode = Extract<StateErrorCode, "state/write-failed">;

export class StateStore {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #writeError: MeshError<WriteErrorCode> | undefined;
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
    this.tokens = {
      insert: (record) => this.#insertToken(record),
      find: (secretHash) => this.#findToken(secretHash),
      markUsed: (secretHash, nodeId, atMs) =>
        this.#run(
          "UPDATE tokens SET used_by = ?, used_at_ms = ? WHERE secret_hash = ? AND used_by IS NULL",
          nodeId,
          atMs,
          secretHash,
        ) === 1,
      prune: (nowMs) => this.#run("DELETE FROM tokens WHERE expires_at_ms < ?", nowMs),
    };
    const statements: Statements = {
      run: (sql, ...values) => this.#run(sql, ...values),
      all: (sql, ...values) => this.#prepare(sql).all(...values),
      atomically: (work) => this.#atomically(work),
    };
    this.rounds = new RoundStore(statements);
    this.workloads = new WorkloadStore(statements);
    this.names = {
      check: (name, nodeId) => this.#checkName(name, nodeId),
      claim: (name, nodeId) => this.#claimName(name, nodeId),
    };
  }

  /** The last write's error, until a write succeeds again. */
  get writeError(): MeshError<WriteErrorCode> | undefined {
    return this.#writeError;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /**
   * The boot counter of this start: above every earlier one, and at least the time in seconds, so that a disk
   * restored from a backup does not repeat an epoch. Committed before it is returned.
   */
  nextEpoch(nowMs: WallMs): number {
    const row = this.#get("SELECT value FROM facts WHERE name = 'epoch'");
    const epoch = Math.max(Number(row?.["value"] ?? 0) + 1, Math.floor(nowMs / 1000));
    this.saveEpoch(epoch);
    return epoch;
  }

  /** Keeps a boot counter that the mesh knows to be higher. */
  saveEpoch(epoch: number): void {
    this.#run("INSERT OR REPLACE INTO facts VALUES ('epoch', ?)", String(epoch));
  }

  /** The zone that this node was in last, when the mesh chose it. */
  zone(): string | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'zone'");
    return row === undefined ? undefined : text(row["value"]);
  }

  saveZone(zone: string): void {
    this.#run("INSERT OR REPLACE INTO facts VALUES ('zone', ?)", zone);
  }

  /** When this state was restored from a backup, if ever: of what was signed before, it may know less than others. */
  restoredAtMs(): WallMs | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'restored_at_ms'");
    return row === undefined ? undefined : (Number(text(row["value"])) as WallMs);
  }

  /** The SPIFFE id of the issuer that this node joined through. */
  issuerId(): string | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'issuer'");
    return row === undefined ? undefined : text(row["value"]);
  }

  saveIssuerId(spiffeId: string): void {
    this.#run("INSERT OR REPLACE INTO facts VALUES ('issuer', ?)", spiffeId);
  }

  credential(): StoredCredential | undefined {
    const row = this.#get("SELECT * FROM credential");
    if (row === undefined) return undefined;
    return {
      trustDomain: text(row["trust_domain"]),
      name: text(row["name"]),
      bundle: text(row["bundle"]),
      chain: splitChain(blob(row["chain"])),
    };
  }

  saveCredential({ trustDomain, name, bundle, chain }: StoredCredential): void {
    this.#run(
      "INSERT OR REPLACE INTO credential VALUES (1, ?, ?, ?, ?)",
      trustDomain,
      name,
      bundle,
      joinChain(chain),
    );
  }

  /** The trust bundle as a root signed it. */
  signedBundle(): Uint8Array | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'signed-bundle'");
    return row === undefined ? undefined : fromBase64Url(text(row["value"]));
  }

  /** Keeps a newer bundle of this node's trust domain. */
  saveBundle(json: string, signed: Uint8Array): void {
    this.#atomically(() => this.#saveBundle(json, signed));
  }

  #saveBundle(json: string, signed: Uint8Array): void {
    this.#run("UPDATE credential SET bundle = ?", json);
    this.#run("INSERT OR REPLACE INTO facts VALUES ('signed-bundle', ?)", toBase64Url(signed));
  }

  /** What an issuer without a root keeps of its keys for workloads, as JSON. */
  grantedKeys(): string | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'granted-keys'");
    return row === undefined ? undefined : text(row["value"]);
  }

  /** Keeps those, with the intermediate when there is a new one. */
  saveGranted(keys: string, issuer?: StoredIssuer): void {
    this.#atomically(() => {
      this.#run("INSERT OR REPLACE INTO facts VALUES ('granted-keys', ?)", keys);
      if (issuer !== undefined) this.saveIssuer(issuer);
    });
  }

  /** This host issues no longer. */
  forgetGranted(): void {
    this.#atomically(() => {
      this.#run("DELETE FROM facts WHERE name = 'granted-keys'");
      this.#run("DELETE FROM issuer");
    });
  }

  /** What the holder of the root keeps of its authorities, as JSON. */
  trustState(): string | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'trust-state'");
    return row === undefined ? undefined : text(row["value"]);
  }

  /** A step of an authority with all that follows from it: the bundle, and the root whose intermediate is no longer used. */
  saveTrust(step: {
    readonly state: string;
    readonly bundle?: { readonly json: string; readonly signed: Uint8Array };
    readonly newRoot?: Uint8Array;
  }): void {
    const { state, bundle, newRoot } = step;
    this.#atomically(() => {
      this.#run("INSERT OR REPLACE INTO facts VALUES ('trust-state', ?)", state);
      if (bundle !== undefined) this.#saveBundle(bundle.json, bundle.signed);
      if (newRoot !== undefined) this.saveIssuer({ root: newRoot, intermediate: undefined });
    });
  }

  /** The boot counter of the last start. */
  epoch(): number {
    return Number(this.#get("SELECT value FROM facts WHERE name = 'epoch'")?.["value"] ?? 0);
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
    this.#written(checkpoint);
    const pages = (name: string): number => Number(this.#get(`PRAGMA ${name}`)?.[name] ?? 0);
    if (pages("freelist_count") > VACUUM_SHARE * pages("page_count")) {
      try {
        this.#database.exec("VACUUM");
      } catch {
        // It writes the whole database anew, for which there is no room.
      }
      this.#written(checkpoint);
    }
    this.saveEpoch(this.epoch());
  }

  /** Whether an operator froze healing. */
  get isHealingFrozen(): boolean {
    return this.#get("SELECT 1 FROM facts WHERE name = 'healing_frozen'") !== undefined;
  }

  saveHealingFrozen(frozen: boolean): void {
    if (frozen) this.#run("INSERT OR REPLACE INTO facts VALUES ('healing_frozen', '')");
    else this.#run("DELETE FROM facts WHERE name = 'healing_frozen'");
  }

  /** Writes a consistent copy of the database; the file must not exist. @throws MeshError `state/write-failed` */
  snapshot(file: string): void {
    this.#run("VACUUM INTO ?", file);
  }

  /**
   * Makes a restored state fit to be run although the mesh went on without it: the boot counter jumps over all epochs
   * that may have been used since the backup, as a repeated one is proof of equivocation, and join tokens end, as one
   * that was used since would be good for a second time. What was signed in trainings since then is not known.
   */
  settleRestored(nowMs: WallMs): void {
    this.#run("INSERT OR REPLACE INTO facts VALUES ('restored_at_ms', ?)", String(nowMs));
    this.saveEpoch(Math.max(this.epoch(), Math.floor(nowMs / 1000)) + RESTORE_EPOCH_MARGIN);
    this.#run("DELETE FROM tokens");
    this.#run("INSERT OR REPLACE INTO facts VALUES ('restore_untold', '')");
  }

  /** When a restore is still to be written into the audit log. */
  untoldRestoreAtMs(): WallMs | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = 'restore_untold'");
    return row === undefined ? undefined : this.restoredAtMs();
  }

  restoreTold(): void {
    this.#run("DELETE FROM facts WHERE name = 'restore_untold'");
  }

  issuer(): StoredIssuer | undefined {
    const row = this.#get("SELECT * FROM issuer");
    if (row === undefined) return undefined;
    const intermediate = row["intermediate"];
    return {
      root: blob(row["root"]),
      intermediate: intermediate === null ? undefined : blob(intermediate),
    };
  }

  saveIssuer({ root, intermediate }: StoredIssuer): void {
    this.#run("INSERT OR REPLACE INTO issuer VALUES (1, ?, ?)", root, intermediate ?? null);
  }

  /** Remembers where peers were reachable, by NodeId. Those beyond {@link PEERS_KEPT} are forgotten, and those not seen for 90 days. */
  rememberPeers(peers: ReadonlyMap<string, readonly string[]>, nowMs: WallMs): void {
    this.#atomically(() => {
      for (const [nodeId, addresses] of peers) {
        const json = JSON.stringify(addresses);
        this.#run("INSERT OR REPLACE INTO peers VALUES (?, ?, ?)", nodeId, json, nowMs);
      }
      this.#run(
        "DELETE FROM peers WHERE (seen_at_ms < ? AND node_id <> '') OR node_id NOT IN (SELECT node_id FROM peers ORDER BY seen_at_ms DESC LIMIT ?)",
        nowMs - PEERS_KEPT_MS,
        PEERS_KEPT,
      );
    });
  }

  /** Addresses without a NodeId yet: an issuer's from a join token. They are the first to be forgotten. */
  rememberAddresses(addresses: readonly string[]): void {
    this.#run("INSERT OR REPLACE INTO peers VALUES ('', ?, 0)", JSON.stringify(addresses));
  }

  /** Addresses of peers seen before, the most recent first. */
  knownAddresses(): string[] {
    return this.#all("SELECT addresses FROM peers ORDER BY seen_at_ms DESC").flatMap(
      (row) => JSON.parse(text(row["addresses"])) as string[],
    );
  }

  saveTask(task: StoredTask, nowMs: WallMs): void {
    this.#run(
      "INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)",
      task.taskId,
      task.signed,
      task.state,
      task.round,
      task.model ?? null,
      task.history,
      nowMs,
    );
    this.#run(
      "DELETE FROM tasks WHERE state != 'running' AND task_id NOT IN (SELECT task_id FROM tasks ORDER BY updated_at_ms DESC LIMIT ?)",
      TASKS_KEPT,
    );
    this.rounds.prune();
  }

  /** Whether a task was ever run here, as far as tasks are kept. */
  knowsTask(taskId: string): boolean {
    return this.#get("SELECT 1 AS known FROM tasks WHERE task_id = ?", taskId) !== undefined;
  }

  /** Keeps the one order about a task that counts; orders about forgotten tasks are forgotten. */
  saveTaskOrder(taskId: string, signed: Uint8Array): void {
    this.#run("INSERT OR REPLACE INTO facts VALUES (?, ?)", orderName(taskId), toHex(signed));
    this.#run(
      "DELETE FROM facts WHERE name GLOB 'task-order/*' AND substr(name, 12) NOT IN (SELECT task_id FROM tasks)",
    );
  }

  taskOrder(taskId: string): Uint8Array | undefined {
    const row = this.#get("SELECT value FROM facts WHERE name = ?", orderName(taskId));
    return row === undefined ? undefined : fromHex(text(row["value"]));
  }

  /** The task that was worked on last. */
  latestTask(): StoredTask | undefined {
    const row = this.#get("SELECT * FROM tasks ORDER BY updated_at_ms DESC, rowid DESC LIMIT 1");
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
    const rows = this.#all("SELECT value FROM facts WHERE name GLOB 'federation/*' ORDER BY name");
    return rows.map((row) => text(row["value"]));
  }

  /** Keeps what there is of a trust domain, or forgets it. Whoever calls bounds their number. */
  saveFederation(trustDomain: string, json: string | undefined): void {
    const name = `federation/${trustDomain}`;
    if (json === undefined) this.#run("DELETE FROM facts WHERE name = ?", name);
    else this.#run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, json);
  }

  /** Proofs against nodes and releases of them, one a node, the oldest first. */
  evidence(): StoredStatement[] {
    return this.#all("SELECT statement, at_ms FROM evidence ORDER BY rowid").map((row) => ({
      bytes: blob(row["statement"]),
      atMs: Number(row["at_ms"]) as WallMs,
    }));
  }

  /** Keeps the one statement about a node that counts; `undefined` forgets it. Whoever calls bounds their number. */
  saveEvidence(nodeId: string, statement: StoredStatement | undefined): void {
    if (statement === undefined) this.#run("DELETE FROM evidence WHERE node_id = ?", nodeId);
    else
      this.#run(
        "INSERT OR REPLACE INTO evidence VALUES (?, ?, ?)",
        nodeId,
        statement.bytes,
        statement.atMs,
      );
  }

  #insertToken({ secretHash, expiresAtMs, name }: TokenRecord): boolean {
    return (
      this.#run(
        "INSERT INTO tokens SELECT ?, ?, ?, NULL, NULL WHERE (SELECT count(*) FROM tokens) < ?",
        secretHash,
        expiresAtMs,
        name ?? null,
        TOKENS_MAX,
      ) === 1
    );
  }

  #findToken(secretHash: string): TokenRecord | undefined {
    const row = this.#get("SELECT * FROM tokens WHERE secret_hash = ?", secretHash);
    if (row === undefined) return undefined;
    return {
      secretHash,
      expiresAtMs: Number(row["expires_at_ms"]) as WallMs,
      ...(row["name"] === null ? {} : { name: text(row["name"]) }),
      ...(row["used_by"] === null ? {} : { usedBy: text(row["used_by"]) as NodeId }),
      ...(row["used_at_ms"] === null ? {} : { usedAtMs: Number(row["used_at_ms"]) as WallMs }),
    };
  }

  #checkName(name: string, nodeId: NodeId): NameClaim {
    const holder = this.#get("SELECT node_id FROM names WHERE name = ?", name);
    if (holder !== undefined) return holder["node_id"] === nodeId ? "held" : "name-taken";
    if (this.#get("SELECT name FROM names WHERE node_id = ?", nodeId) !== undefined)
      return "node-has-other-name";
    return Number(this.#get("SELECT count(*) AS count FROM names")?.["count"]) < NAMES_MAX
      ? "held"
      : "full";
  }

  /** The daemon is the one writer of its database, so check and insert are one step to everybody else. */
  #claimName(name: string, nodeId: NodeId): NameClaim {
    const outcome = this.#checkName(name, nodeId);
    if (outcome === "held") this.#run("INSERT OR IGNORE INTO names VALUES (?, ?)", name, nodeId);
    return outcome;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined)
      this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }

  #get(
    sql: string,
    ...values: (string | number | Uint8Array | null)[]
  ): Record<string, SQLOutputValue> | undefined {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string): Record<string, SQLOutputValue>[] {
    return this.#prepare(sql).all();
  }

  /** Runs a writing statement; returns the number of changed rows. @throws MeshError `state/write-failed` */
  #run(sql: string, ...values: SQLInputValue[]): number {
    return this.#written(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** All that `work` writes, or nothing of it. @throws MeshError `state/write-failed` */
  #atomically(work: () => void): void {
    this.#written(() => this.#database.exec("BEGIN IMMEDIATE"));
    try {
      work();
      this.#written(() => this.#database.exec("COMMIT"));
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #written<T>(write: () => T): T {
    try {
      const result = write();
      this.#writeError = undefined;
      return result;
    } catch (cause) {
      this.#writeError = new MeshError<WriteErrorCode>(
        "state/write-failed",
        `Cannot write the state: ${errorMessage(cause)}. Free space on the disk of state_dir, or check it.`,
        {},
        { cause },
      );
      throw this.#writeError;
    }
  }
}

function orderName(taskId: string): string {
  return `task-order/${taskId}`;
}

function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw wrongType("text");
  return value;
}

function blob(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType("a blob");
  return value;
}

function wrongType(wanted: string): MeshError {
  return new MeshError(
    "state/corrupt",
    `Cannot read the state: a column is not ${wanted}. Restore a backup.`,
  );
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
