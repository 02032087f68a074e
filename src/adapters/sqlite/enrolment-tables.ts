// What an issuer keeps to enrol nodes: the join tokens it has given out, and which node holds which name.

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
import { type Statements, text } from "./statements.ts";

export class TokenTable implements TokenStore {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  insert({ secretHash, expiresAtMs, name }: TokenRecord): boolean {
    return (
      this.#statements.run(
        "INSERT INTO tokens SELECT ?, ?, ?, NULL, NULL WHERE (SELECT count(*) FROM tokens) < ?",
        secretHash,
        expiresAtMs,
        name ?? null,
        TOKENS_MAX,
      ) === 1
    );
  }

  find(secretHash: string): TokenRecord | undefined {
    const row = this.#statements.get("SELECT * FROM tokens WHERE secret_hash = ?", secretHash);
    if (row === undefined) return undefined;
    return {
      secretHash,
      expiresAtMs: Number(row["expires_at_ms"]) as WallMs,
      ...(row["name"] === null ? {} : { name: text(row["name"]) }),
      ...(row["used_by"] === null ? {} : { usedBy: text(row["used_by"]) as NodeId }),
      ...(row["used_at_ms"] === null ? {} : { usedAtMs: Number(row["used_at_ms"]) as WallMs }),
    };
  }

  markUsed(secretHash: string, nodeId: NodeId, atMs: WallMs): boolean {
    return (
      this.#statements.run(
        "UPDATE tokens SET used_by = ?, used_at_ms = ? WHERE secret_hash = ? AND used_by IS NULL",
        nodeId,
        atMs,
        secretHash,
      ) === 1
    );
  }

  prune(nowMs: WallMs): number {
    return this.#statements.run("DELETE FROM tokens WHERE expires_at_ms < ?", nowMs);
  }
}

export class NameTable implements NameRegistry {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  check(name: string, nodeId: NodeId): NameClaim {
    const holder = this.#statements.get("SELECT node_id FROM names WHERE name = ?", name);
    if (holder !== undefined) return holder["node_id"] === nodeId ? "held" : "name-taken";
    if (this.#statements.get("SELECT name FROM names WHERE node_id = ?", nodeId) !== undefined)
      return "node-has-other-name";
    return Number(this.#statements.get("SELECT count(*) AS count FROM names")?.["count"]) <
      NAMES_MAX
      ? "held"
      : "full";
  }

  /** The daemon is the one writer of its database, so check and insert are one step to everybody else. */
  claim(name: string, nodeId: NodeId): NameClaim {
    const outcome = this.check(name, nodeId);
    if (outcome === "held")
      this.#statements.run("INSERT OR IGNORE INTO names VALUES (?, ?)", name, nodeId);
    return outcome;
  }
}
