// What a member is made of: the daemon's parts that it works with.

import type { KeyFiles } from "../adapters/key-files.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import type { NoticeBody } from "../healing/index.ts";
import type { AuditTrail, NodeId, NodeKeys } from "../identity/index.ts";
import type { Clock, Logger, Meter, Random, Tracer } from "../ports/index.ts";
import type { Issuing } from "./issuing.ts";
import type { Access } from "./policy.ts";
import type { HeldBundle } from "./trust/held-bundle.ts";

export interface MemberDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly keys: NodeKeys;
  readonly issuing: Issuing | undefined;
  readonly held: HeldBundle;
  readonly audit: AuditTrail;
  readonly access: Access;
  /** Another node tells that it is under repair, or what it learned from an incident. */
  readonly onNotice: (nodeId: NodeId, body: NoticeBody) => void;
  /** The document of another trust domain that this node federates with. */
  readonly foreign: (trustDomain: string) => string | undefined;
}
