// Finds a node of the mesh by NodeId, name or SPIFFE id, also one of another zone: first among what this node
// knows, then in the DHT. What the DHT gives is verified under the key that was asked for.

import { errorCode, MeshError } from "../foundation/index.ts";
import { isNodeName, type NodeId, nodeSpiffeId, parseSpiffeId } from "../identity/index.ts";
import type { MemberView } from "../mesh/index.ts";
import type { NodeRecord, NodeRecords } from "./node-record.ts";

export type LookupErrorCode =
  | "lookup/malformed"
  | "lookup/other-domain"
  | "lookup/not-found"
  | "lookup/busy";

/** Searches of the DHT at once; each sends a few dozen messages. */
const LOOKUPS_MAX = 4;

export interface LookupDeps {
  readonly trustDomain: string;
  readonly records: NodeRecords;
  readonly members: () => readonly MemberView[];
  readonly spiffeIdOf: (nodeId: NodeId) => string | undefined;
  /** Gets a record from the DHT within a deadline. @throws what the DHT throws */
  readonly find: (key: string) => Promise<Uint8Array>;
}

/** A member that this node knows by its beacons, or a record of the DHT. */
export type Found =
  | { readonly source: "mesh"; readonly view: MemberView }
  | { readonly source: "dht"; readonly record: NodeRecord };

export class Lookup {
  readonly #deps: LookupDeps;
  #running = 0;

  constructor(deps: LookupDeps) {
    this.#deps = deps;
  }

  /** @throws MeshError {@link LookupErrorCode} */
  async find(target: string): Promise<Found> {
    const { records, members, spiffeIdOf } = this.#deps;
    const nodeId = /^[0-9a-f]{64}$/.test(target) ? (target as NodeId) : undefined;
    const spiffeId = nodeId === undefined ? this.#spiffeId(target) : undefined;
    const view = members().find((member) =>
      nodeId === undefined ? spiffeIdOf(member.nodeId) === spiffeId : member.nodeId === nodeId,
    );
    if (view !== undefined) return { source: "mesh", view };
    const key =
      nodeId === undefined ? records.keyOfSpiffeId(spiffeId ?? "") : records.keyOfNode(nodeId);
    return { source: "dht", record: await this.#search(key, target) };
  }

  #spiffeId(target: string): string {
    const { trustDomain } = this.#deps;
    if (isNodeName(target)) return nodeSpiffeId(trustDomain, target);
    const parsed = parseSpiffeId(target);
    if (!parsed.ok)
      throw new MeshError<LookupErrorCode>(
        "lookup/malformed",
        `'${target.slice(0, 100)}' names no node. Write a node id (64 hex digits), a name, or a SPIFFE id.`,
      );
    if (parsed.value.trustDomain !== trustDomain)
      throw new MeshError<LookupErrorCode>(
        "lookup/other-domain",
        `${target.slice(0, 200)} is of another trust domain than this node's, ${trustDomain}. Ask a node there.`,
      );
    return target;
  }

  async #search(key: string, target: string): Promise<NodeRecord> {
    if (this.#running >= LOOKUPS_MAX)
      throw new MeshError<LookupErrorCode>(
        "lookup/busy",
        "Other lookups are under way. Try again.",
      );
    this.#running++;
    try {
      return this.#deps.records.admit(key, await this.#deps.find(key));
    } catch (cause) {
      throw new MeshError<LookupErrorCode>(
        "lookup/not-found",
        `No node '${target.slice(0, 100)}' was found. Check the name; a node that has just joined is found after a minute.`,
        { reason: errorCode(cause) },
        { cause },
      );
    } finally {
      this.#running--;
    }
  }
}
