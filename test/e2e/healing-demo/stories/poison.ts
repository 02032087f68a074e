// A member that signs two different beacons under one number: whoever sees both holds a proof against it that every node can check,
// and all shut it out. Healing has nothing to add.

import assert from "node:assert/strict";
import { runLiar } from "../liar.ts";
import { ash, type Story } from "./story.ts";

const CODE = "mesh/quarantined";

export const poison: Story = {
  name: "poison",
  title: "a member lies to the mesh",
  async tell(stage) {
    const { token } = await stage.client(ash).createToken({ ttlSeconds: 60, name: "mallory" });
    const { addresses } = (await stage.status(ash)).node;
    const namespace = stage.mesh.namespaces.names[stage.mesh.size] ?? "";
    stage.fault("mallory joins by a token as everyone, and signs two beacons of one number to ash");
    const nodeId = await runLiar(namespace, addresses[0] ?? "", token);
    const nodes = stage.mesh.names.map((_, node) => node);
    await stage.until("all to shut mallory out", async () => {
      const cases = await Promise.all(nodes.map((node) => stage.client(node).quarantine()));
      return cases.every(({ quarantine }) => quarantine.some((one) => one.nodeId === nodeId));
    });
    const wholeMs = await stage.whole();
    stage.saw("all five have checked the proof themselves and shut mallory out");
    await stage.meshctl(ash, "quarantine", "show", nodeId.slice(0, 12));
    const { health } = await stage.status(ash);
    assert.ok(
      health.some(({ code }) => code === CODE),
      `ash says ${CODE}`,
    );
    for (const node of nodes)
      assert.deepEqual(await stage.incidents(node), [], `${stage.nameOf(node)} has an incident`);
    stage.saw("no incident is made of it: the proof shut mallory out, healing has nothing to add");
    return { cause: CODE, did: "shut out on proof; healing rightly nothing", wholeMs };
  },
};
