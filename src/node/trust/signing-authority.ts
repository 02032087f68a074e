// What an issuer signs with: as the holder of the root (authority-keeper.ts), or under it (granted-authority.ts).

import type { MlDsaSigner } from "../../crypto/index.ts";
import type { WorkloadAuthorities } from "../../identity/index.ts";
import type { WallMs } from "../../ports/index.ts";

export interface SigningAuthority {
  /** Changes when another intermediate is to be used than before. */
  readonly id: string;
  /** The root, and its key where it is held. @throws MeshError `identity/issuer-unusable`, `state/key-missing` */
  root(): { readonly certificate: Uint8Array; readonly signer: MlDsaSigner | undefined };
  /** What signs for workloads now. @throws MeshError `identity/issuer-unusable`, `state/key-missing` */
  workloads(): WorkloadAuthorities;
  /** Notes until when something is good, before it is handed out. @throws MeshError `state/write-failed` */
  signed(kind: "node" | "workload", untilMs: WallMs): void;
}
