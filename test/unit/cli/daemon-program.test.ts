import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { daemonRuntime } from "../../../src/cli/daemon-program.ts";

test("the launcher runs the daemon with the same settings as meshctl dev up", () => {
  const launcher = readFileSync(new URL("../../../bin/meshd", import.meta.url), "utf8");
  const { flags, environment } = daemonRuntime;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  assert.equal(/^export (.*)$/m.exec(launcher)?.[1], variables.join(" "));
  assert.equal(/^exec "\$node" (.*) "\$program" "\$@"$/m.exec(launcher)?.[1], flags.join(" "));
});
