// The options of meshd, for its command line and for its man page.

/** Where the packaged configuration is. */
export const defaultConfigPath = "/etc/meshd/meshd.yml";

/** As `parseArgs` of node:util takes them; what it does not know is for the man page. */
export const daemonOptions = {
  config: {
    type: "string",
    default: defaultConfigPath,
    value: "FILE",
    description: "run with this configuration",
  },
  "check-config": {
    type: "string",
    value: "FILE",
    description: "report every problem of a configuration, and exit",
  },
  help: { type: "boolean", short: "h", description: "print how to call it, and exit" },
  version: { type: "boolean", short: "V", description: "print the version, and exit" },
} as const;
