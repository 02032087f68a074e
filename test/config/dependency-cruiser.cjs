// The import direction of src/: arrows point inward (see src/README.md).
const rooms = {
  foundation: [],
  ports: ["foundation"],
  crypto: ["foundation", "ports"],
  identity: ["foundation", "ports", "crypto"],
  handshake: ["foundation", "ports", "crypto", "identity"],
  mesh: ["foundation", "ports", "crypto", "identity"],
  learning: ["foundation", "ports", "crypto"],
  healing: ["foundation", "ports"],
  telemetry: [
    "foundation",
    "ports",
    "crypto",
    "identity",
    "handshake",
    "mesh",
    "learning",
    "healing",
  ],
  config: ["foundation", "ports"],
  control: ["foundation", "ports"],
  adapters: [
    "foundation",
    "ports",
    "crypto",
    "identity",
    "handshake",
    "mesh",
    "learning",
    "healing",
    "telemetry",
    "control",
    "config",
  ],
  node: [
    "foundation",
    "ports",
    "crypto",
    "identity",
    "handshake",
    "mesh",
    "learning",
    "healing",
    "telemetry",
    "control",
    "config",
    "adapters",
  ],
  sim: ["foundation", "ports", "crypto", "identity", "handshake", "mesh", "learning", "healing"],
  load: [
    "foundation",
    "ports",
    "crypto",
    "identity",
    "handshake",
    "mesh",
    "telemetry",
    "control",
    "adapters",
  ],
  client: [],
  cli: ["foundation", "ports", "config", "control", "node", "sim", "load", "learning"],
};

const direction = Object.entries(rooms).map(([room, may]) => ({
  name: `${room}-imports`,
  severity: "error",
  comment: `${room} may import only: ${may.join(", ") || "nothing"}`,
  from: { path: `^src/${room}/` },
  to: { path: "^src/", pathNot: [room, ...may].map((name) => `^src/${name}/`) },
}));

const doors = Object.keys(rooms)
  .filter((room) => !["foundation", "ports", "adapters", "telemetry"].includes(room))
  .map((room) => ({
    name: `${room}-door`,
    severity: "error",
    comment: `${room} is entered by its index.ts`,
    from: { path: "^src/", pathNot: `^src/${room}/` },
    to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` },
  }));

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...direction,
    ...doors,
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "meshctl-is-a-client",
      severity: "error",
      comment: "meshctl sees only foundation and control: what it shows, any client can have",
      from: { path: "^src/cli/(meshctl|commands/)" },
      to: { path: "^src/", pathNot: ["^src/cli/", "^src/foundation/", "^src/control/"] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
