// The door of the node room: a configured daemon.

export { type Build, createNode, type LoadedConfig, type MeshNode } from "./create-node.ts";
export { maintain } from "./maintenance.ts";
