// The door of the node room: a configured daemon.

export type { ConfigSource } from "./config-view.ts";
export { type Build, createNode, type MeshNode } from "./create-node.ts";
export { maintain } from "./maintenance.ts";
