// The door of the load room: virtual peers over real sockets against one real daemon.

export { CROWD_OPTION, serveCrowd } from "./crowd-process.ts";
export { type LoadOptions, type LoadStep, runLoad } from "./run.ts";
