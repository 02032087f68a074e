// The control API's part for the authorities of a trust domain, on the host that holds the root: their life, and who is shut out.

import * as z from "zod";

const moment = z.iso.datetime();

export const authoritiesFields = {
  /** Of the bundle that says all this. */
  sequence: z.int().min(0),
  authorities: z.array(
    z.object({
      id: z.string(),
      state: z.enum(["prepared", "active", "old", "tainted"]),
      since: moment,
      /** When its root ends. */
      notAfter: moment,
      /** prepared: when every node with an SVID knows it; `null` otherwise. */
      readyAt: moment.nullable(),
      /** old, tainted: when all that it signed has ended and it goes; `null` otherwise. */
      goneAt: moment.nullable(),
      jwtKeyId: z.string(),
      /** Nodes known here whose certificate it has signed, this one included. */
      nodes: z.int().min(0),
    }),
  ),
  /** When the active one is replaced by itself; `null`: never. */
  replaceAt: moment.nullable(),
  /** Nodes that issue beside this one. */
  issuers: z.array(
    z.object({
      ...{ nodeId: z.string(), name: z.string() },
      /** When its intermediate ends; `null` before it has asked for one. */
      until: moment.nullable(),
    }),
  ),
  revokedNodes: z.array(z.object({ nodeId: z.string(), name: z.string(), until: moment })),
};

export const activateRequestSchema = z.strictObject({
  /** Also before all nodes can know it. */
  force: z.boolean().default(false),
});

const id = z.string().regex(/^[0-9a-f]{4,40}$/, "4 to 40 digits of an authority's id");
export const taintRequestSchema = z.strictObject({ id });
export const revokeRequestSchema = z.strictObject({
  id,
  /** Also while nodes have certificates of it. */
  force: z.boolean().default(false),
});
export const revokeNodeRequestSchema = z.strictObject({ peer: z.string().min(1).max(2048) });

export const grantRequestSchema = z.strictObject({
  peer: z.string().min(1).max(2048),
  /** Its keys sign as soon as they are published. */
  force: z.boolean().default(false),
});
export const withdrawRequestSchema = z.strictObject({ peer: z.string().min(1).max(2048) });

export type GrantRequest = z.infer<typeof grantRequestSchema>;
export type WithdrawRequest = z.infer<typeof withdrawRequestSchema>;
export type AuthoritiesAnswer = z.infer<z.ZodObject<typeof authoritiesFields>>;
export type ActivateRequest = z.infer<typeof activateRequestSchema>;
export type TaintRequest = z.infer<typeof taintRequestSchema>;
export type RevokeRequest = z.infer<typeof revokeRequestSchema>;
export type RevokeNodeRequest = z.infer<typeof revokeNodeRequestSchema>;

/** The authorities as their operator sees them; each step answers with what there is then. Steps are for the holder of the root. */
export interface AuthorityControl {
  /** @throws MeshError `control/not-issuer`, `control/not-enrolled`, as do all */
  list(): Promise<AuthoritiesAnswer>;
  /** @throws MeshError `identity/authority-prepared`, `identity/authorities-full` */
  prepare(): Promise<AuthoritiesAnswer>;
  /** @throws MeshError `identity/authority-not-prepared`, `identity/authority-not-spread` */
  activate(request: ActivateRequest): Promise<AuthoritiesAnswer>;
  /** @throws MeshError `identity/authority-unknown`, `identity/authority-active` */
  taint(request: TaintRequest): Promise<AuthoritiesAnswer>;
  /** @throws MeshError as {@link taint}, `identity/authority-in-use` */
  revoke(request: RevokeRequest): Promise<AuthoritiesAnswer>;
  /** Shuts a node out. @throws MeshError `control/unknown-peer`, `control/ambiguous-peer` */
  revokeNode(request: RevokeNodeRequest): Promise<AuthoritiesAnswer>;
  /** Lets a node issue. @throws MeshError as {@link revokeNode}, `identity/issuers-full` */
  grant(request: GrantRequest): Promise<AuthoritiesAnswer>;
  /** Lets it issue no longer. @throws MeshError `control/unknown-peer` for one that did not */
  withdraw(request: WithdrawRequest): Promise<AuthoritiesAnswer>;
}
