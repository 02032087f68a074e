// meshctl policy check | reload: who may do what here, and why.

import { exitStatus, type PolicyChecked } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { plainText } from "../table.ts";

/** Adds `policy` with its verbs. */
export const policyCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("policy")
    .description("the authorisation policy of this node: what it decides, and why");
  const check = command
    .command("check")
    .description("explain a decision; the exit status is 1 when it is a no")
    .argument("<spiffe-id>", "a SPIFFE id, or 'unauthenticated', or 'local' for this socket")
    .argument("<right>", "such as mesh.join or tunnel.connect:22");
  check.action((spiffeId: string, right: string) =>
    answer(cli, check, {
      call: (client) => client.checkPolicy({ spiffeId, right }),
      draw: (checked) => `${drawCheck(spiffeId, right, checked)}\n`,
      exit: ({ allowed }) => (allowed ? exitStatus.ok : exitStatus.failure),
    }),
  );
  const reload = command
    .command("reload")
    .description("read the configuration file again, as SIGHUP does; a broken one changes nothing");
  reload.action(() =>
    answer(cli, reload, {
      call: (client) => client.reloadPolicy(),
      draw: ({ rules, restartPending }) =>
        `The policy in force has ${rules} ${rules === 1 ? "rule" : "rules"}.\n` +
        (restartPending.length > 0 ? `Waiting for a restart: ${restartPending.join(", ")}.\n` : ""),
    }),
  );
};

function drawCheck(spiffeId: string, right: string, checked: PolicyChecked): string {
  const { rule, role, matched, rules, file } = checked;
  const id = plainText(spiffeId, 2048);
  switch (checked.why) {
    case "rule": {
      const by = role === null ? "" : ` by its role ${role}`;
      return `allowed: ${rule === null ? "a rule" : ruleText(rule, file)} gives ${right} to ${id}${by}.`;
    }
    case "socket":
      return `allowed: no rule names 'local', so whoever may open the control socket may use it.`;
    case "right-not-given":
      return `denied: ${matched.map((one) => ruleText(one, file)).join(", ")} ${matched.length === 1 ? "is" : "are"} about ${id}, and none gives ${right}.`;
    case "no-rule":
      return `denied: none of the ${rules} rules in ${plainText(file, 400)} is about ${id}.`;
    case "not-a-spiffe-id":
      return `denied: ${id} is no SPIFFE id, and has no rights.`;
  }
}

function ruleText(
  { number, line, spiffe }: PolicyChecked["matched"][number],
  file: string,
): string {
  const where = line === null ? "the default policy" : `${plainText(file, 400)}:${line}`;
  return `rule ${number} (${plainText(spiffe, 400)}, ${where})`;
}
