// The control API's part for tunnels: TCP ports that are exposed to peers, and ports here that lead to a peer's.

import * as z from "zod";

const port = z.int().min(1).max(65_535);
const host = z.string().regex(/^[A-Za-z0-9.:_-]{1,253}$/, {
  error: "must be a host name or an IP address",
});

/** A peer by its name, its NodeId or its SPIFFE id. */
const peer = z.string().min(1).max(2048);

/** By `meshctl`, until the daemon stops, or from the configuration. */
const origin = z.enum(["command", "configuration"]);

export const tunnelsFields = {
  exposed: z.array(z.object({ port, host: z.string(), targetPort: port, origin })),
  forwards: z.array(
    z.object({
      /** Where it listens on this host. */
      host: z.string(),
      /** 0: any, and it does not listen yet. */
      port: z.int().min(0).max(65_535),
      peer: z.string(),
      /** Empty while no member has that name. */
      nodeId: z.string(),
      remotePort: port,
      origin,
      /** Why it does not listen; `null`: it does. */
      problem: z.string().nullable(),
    }),
  ),
};

export const exposeRequestSchema = z.strictObject({ port, host, targetPort: port });
export const forwardRequestSchema = z.strictObject({
  peer,
  host,
  /** 0: any free port. */
  port: z.int().min(0).max(65_535),
  remotePort: port,
});
export const closeTunnelRequestSchema = z.strictObject({
  kind: z.enum(["exposed", "forward"]),
  port,
});

export type ExposeRequest = z.infer<typeof exposeRequestSchema>;
export type ForwardRequest = z.infer<typeof forwardRequestSchema>;
export type CloseTunnelRequest = z.infer<typeof closeTunnelRequestSchema>;
