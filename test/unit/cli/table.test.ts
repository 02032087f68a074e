import assert from "node:assert/strict";
import { test } from "node:test";
import { cell, plainText, renderBar, renderFields, renderTable } from "../../../src/cli/table.ts";

const wide = { colours: false, columns: 120 };

test("columns are aligned left and right under their headings", () => {
  const table = renderTable(
    [{ head: "PEER" }, { head: "RTT", align: "right" }, { head: "LAST" }],
    [
      [cell("node-1"), cell("1.2 ms"), cell("ok")],
      [cell("n"), cell("–"), cell("handshake/timeout")],
    ],
    wide,
  );
  assert.equal(
    table,
    [
      "  PEER       RTT  LAST",
      "  node-1  1.2 ms  ok",
      "  n            –  handshake/timeout",
      "",
    ].join("\n"),
  );
});

test("colours never shift a column", () => {
  const columns = [{ head: "A" }, { head: "B" }];
  const rows = [
    [cell("x", "bad"), cell("y", "good")],
    [cell("longer"), cell("z")],
  ];
  const coloured = renderTable(columns, rows, { colours: true, columns: 80 });
  assert.match(coloured, /\u001b\[31mx/);
  assert.equal(
    coloured.replace(/\u001b\[\d*m/g, "").replace(/ +$/gm, ""),
    renderTable(columns, rows, wide),
  );
});

test("long cells are cut at their column, long lines at the screen", () => {
  const rows = [[cell("abcdefgh"), cell("ijklmnop")]];
  assert.match(renderTable([{ head: "A", widthMax: 8 }], rows, wide), /abcdefgh\n/);
  assert.match(renderTable([{ head: "A", widthMax: 7 }], rows, wide), /abcdef…\n/);
  for (const columns of [1, 2, 3, 10, 13, 19, 20]) {
    const lines = renderTable([{ head: "A" }, { head: "B" }], rows, {
      colours: false,
      columns,
    }).split("\n");
    assert.ok(
      lines.every((line) => line.length <= columns),
      String(columns),
    );
  }
  assert.match(
    renderTable([{ head: "A" }, { head: "B" }], rows, { colours: false, columns: 20 }),
    /ijklmnop/,
  );
});

test("control and direction characters from the network become dots", () => {
  assert.equal(plainText("a\u001b[2Jb\n\u0007\u009b\u202ec\u2028d\u200b"), "a·[2Jb····c·d·");
  assert.equal(plainText("ünïcode ✓ 日本"), "ünïcode ✓ 日本");
});

test("fields are aligned and never cut", () => {
  const long = "x".repeat(300);
  assert.equal(
    renderFields(
      [
        ["id", cell(long)],
        ["zone", cell("a")],
      ],
      false,
    ),
    `  id    ${long}\n  zone  a\n`,
  );
});

test("a bar is empty at 0, full at 1 and stays in its bounds beyond", () => {
  assert.equal(renderBar(0, 4), "░░░░");
  assert.equal(renderBar(0.5, 4), "██░░");
  assert.equal(renderBar(1, 4), "████");
  assert.equal(renderBar(7, 4), "████");
  assert.equal(renderBar(-1, 4), "░░░░");
});

test("a text that wraps goes on under its beginning, between words, and is whole", () => {
  const columns = [{ head: "CODE" }, { head: "WHAT", wraps: true, widthMax: 200 }];
  const rows = [[cell("a/b"), cell("one two three four five six seven eight")]];
  const drawn = (width: number): string => renderTable(columns, rows, { ...wide, columns: width });
  assert.equal(
    drawn(29),
    "  CODE  WHAT\n  a/b   one two three four\n        five six seven eight\n",
  );
  assert.equal(
    drawn(28),
    "  CODE  WHAT\n  a/b   one two three four\n        five six seven eight\n",
  );
  assert.match(drawn(27), /…/, "a column of 19 is too narrow to be read");
  const long = renderTable(columns, [[cell("c"), cell("x".repeat(60))]], { ...wide, columns: 40 });
  assert.ok(long.split("\n").every((line) => line.length <= 40));
});

test("the value of a field goes on under its beginning, and a word that is longer is whole", () => {
  const fields = [
    ["id", cell("one two three")],
    ["name", cell("a-very-long-word b")],
  ] as const;
  const drawn = renderFields(fields, false, 16);
  assert.equal(
    drawn,
    ["  id    one two", "        three", "  name  a-very-long-word", "        b", ""].join("\n"),
  );
  assert.equal(renderFields(fields, false), "  id    one two three\n  name  a-very-long-word b\n");
});
