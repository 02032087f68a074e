// meshctl audit list | tail | verify: what this node did for whom, and whether the record of it is as it was written.

import { setTimeout as sleep } from "node:timers/promises";
import {
  type AuditList,
  auditLimits,
  type AuditVerified,
  auditVerifiedSchema,
  exitStatus,
} from "../../control/index.ts";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import { answer, clientOf, isJson } from "../answer.ts";
import { integer } from "../arguments.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { shortId, timeText } from "../format.ts";
import { offline } from "../offline.ts";
import { cell, plainText, renderTable } from "../table.ts";
import { readTextFile } from "../text-file.ts";

type Entry = AuditList["entries"][number];

const FOLLOW_MS = 1_000;
const ENTRIES_SHOWN = 50;
const TAIL_SHOWN = 10;

/** Adds `audit` with its verbs. */
export const auditCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("audit")
    .description("the hash-chained log of security events: what it says, and whether it is whole");
  const limit = integer(1, auditLimits.entriesMax);
  const list = command
    .command("list")
    .description("list the newest entries")
    .option("--limit <n>", "at most so many", limit, ENTRIES_SHOWN)
    .option("--event <event>", "those of one event alone, such as svid.issue");
  list.action((wanted: { readonly limit: number; readonly event?: string }) =>
    answer(cli, list, { call: (client) => client.audit(wanted), draw: drawEntries }),
  );
  const tail = command
    .command("tail")
    .description("print the newest entries one a line; --follow goes on with those that come")
    .option("-n, --lines <n>", "how many to begin with", limit, TAIL_SHOWN)
    .option("-f, --follow", "go on until Ctrl-C");
  tail.action(async ({ lines, follow }: { readonly lines: number; readonly follow?: boolean }) => {
    const client = clientOf(cli, tail);
    let after: number | undefined;
    for (;;) {
      const { entries } = await client.audit(
        after === undefined ? { limit: lines } : { limit: auditLimits.entriesMax, after },
      );
      for (const entry of entries)
        cli.out(isJson(tail) ? `${JSON.stringify(entry)}\n` : `${lineOf(entry)}\n`);
      if (follow !== true) return;
      after = entries.at(-1)?.sequence ?? after ?? 0;
      await sleep(FOLLOW_MS);
    }
  });
  const verify = command
    .command("verify")
    .description("find entries that were edited, removed, reordered or cut off at the end")
    .option("--head <file...>", "signed heads that were kept on another host (copies of head.json)")
    .option("--dir <directory>", "check the files of this directory, without a daemon")
    .option("--node <id>", "with --dir: the node that must have signed");
  verify.action(async (wanted: VerifyOptions) => {
    const heads = (wanted.head ?? []).map(readHead);
    await answer(cli, verify, {
      call: (client) =>
        wanted.dir === undefined
          ? client.verifyAudit({ heads })
          : offline(
              {
                verb: "audit-verify",
                directory: wanted.dir,
                heads,
                ...(wanted.node === undefined ? {} : { nodeId: wanted.node }),
              },
              auditVerifiedSchema,
            ),
      draw: drawVerdict,
      exit: ({ problems }) => (problems.length === 0 ? exitStatus.ok : exitStatus.failure),
    });
  });
};

interface VerifyOptions {
  readonly head?: readonly string[];
  readonly dir?: string;
  readonly node?: string;
}

/** @throws MeshError `audit/unreadable` */
function readHead(file: string): string {
  try {
    const text = readTextFile(file, auditLimits.headCharsMax);
    if (text !== undefined) return text;
    throw new RangeError("it is too long for one");
  } catch (cause) {
    throw new MeshError(
      "audit/unreadable",
      `Cannot read the head '${file}': ${errorMessage(cause)}. Name a copy of a head.json.`,
      { file },
      { cause },
    );
  }
}

function drawEntries({ entries }: AuditList, screen: Screen): string {
  if (entries.length === 0) return "No such entries.\n";
  return renderTable(
    [
      { head: "ENTRY", align: "right" },
      { head: "TIME" },
      { head: "EVENT" },
      { head: "SUBJECT", widthMax: 48 },
      { head: "DETAILS", widthMax: 80 },
    ],
    entries.map((entry) => [
      cell(String(entry.sequence)),
      cell(timeText(entry.at)),
      cell(entry.event, isRefusal(entry) ? "warn" : "plain"),
      cell(subjectText(entry)),
      cell(fieldsText(entry)),
    ]),
    screen,
  );
}

function lineOf(entry: Entry): string {
  const parts = [String(entry.sequence), timeText(entry.at), entry.event, subjectText(entry)];
  return plainText([...parts, fieldsText(entry)].filter((part) => part !== "").join("  "), 400);
}

function isRefusal({ event }: Entry): boolean {
  return /deny|refuse|reject|drop|quarantine\.begin|break|gap/.test(event);
}

function subjectText({ subject }: Entry): string {
  return /^[0-9a-f]{64}$/.test(subject) ? shortId(subject) : subject;
}

function fieldsText({ fields }: Entry): string {
  const shown = Object.entries(fields).map(([name, value]) =>
    /^[0-9a-f]{64}$/.test(String(value)) ? `${name}=${shortId(String(value))}` : `${name}=${value}`,
  );
  return shown.join(" ");
}

const PROBLEM_TEXT: Readonly<Record<AuditVerified["problems"][number]["kind"], string>> = {
  edited: "is not as it was written",
  removed: "is missing",
  reordered: "stands in another place than it was written, or twice",
  truncated: "was cut off at the end: it was signed for",
  torn: "was cut off while it was written: the next start of meshd mends that",
  restarted: "begins a new chain: meshd found the log damaged before it",
  "head-missing": "is not signed for: head.json is missing",
  "head-forged": "is not signed for: head.json is not by this node, or was changed",
};

function drawVerdict(verdict: AuditVerified): string {
  const { entries, first, last, segments, head, problems } = verdict;
  const size = `${entries} entries (${first} to ${last}) in ${segments} ${segments === 1 ? "file" : "files"}`;
  const signed =
    head === null
      ? "signed by nobody"
      : `signed up to ${head.sequence} at ${timeText(head.at)} by node ${shortId(head.nodeId)}`;
  if (problems.length === 0) return `The audit log is whole: ${size}, ${signed}.\n`;
  const lines = problems.map(({ kind, from, to }) => {
    const which = from === to ? `entry ${from}` : `entries ${from} to ${to}`;
    return `  ${which} ${PROBLEM_TEXT[kind]}\n`;
  });
  return `The audit log is NOT as it was written: ${size}, ${signed}.\n${lines.join("")}`;
}
