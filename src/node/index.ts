// The door of the node room: a configured daemon.

export { type Build, createNode, type MeshNode } from "./create-node.ts";
