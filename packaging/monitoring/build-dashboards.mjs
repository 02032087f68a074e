// Makes Grafana's JSON of dashboards.mjs: `node packaging/monitoring/build-dashboards.mjs` writes grafana/dashboards/*.json. A test holds the
// files equal to what this makes, so edit dashboards.mjs, not the JSON.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dashboards } from "./dashboards.mjs";

const COLUMNS = 24;
const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

/** The file of a dashboard in grafana/dashboards. */
const fileOf = ({ uid }) =>
  `${{ "meshd-system": "system-health" }[uid] ?? uid.replace("meshd-", "")}.json`;

/** The dashboards as text, by file name. */
export function rendered() {
  return new Map(
    dashboards.map((dashboard) => [
      fileOf(dashboard),
      `${JSON.stringify(dashboardOf(dashboard), null, 2)}\n`,
    ]),
  );
}

function dashboardOf({ uid, title, description, rows }) {
  return {
    uid,
    title,
    description,
    tags: ["meshd"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "",
    links: [
      {
        type: "dashboards",
        title: "meshd",
        tags: ["meshd"],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: [restarts] },
    templating: { list: [datasourceVariable, instanceVariable] },
    panels: laidOut(rows),
  };
}

/** A vertical line wherever a daemon started: the first question about any change. */
const restarts = {
  name: "meshd started",
  datasource: DATASOURCE,
  enable: true,
  iconColor: "blue",
  expr: expanded("changes(meshd_process_start_time_seconds{$i}[$__rate_interval]) > 0"),
  titleFormat: "{{instance}} started",
};

const datasourceVariable = {
  name: "datasource",
  label: "Prometheus",
  type: "datasource",
  query: "prometheus",
  current: {},
};

const instanceVariable = {
  name: "instance",
  label: "Node",
  type: "query",
  datasource: DATASOURCE,
  query: { query: 'label_values(up{job="meshd"}, instance)', refId: "instance" },
  refresh: 2,
  includeAll: true,
  allValue: ".*",
  multi: true,
  sort: 1,
  current: { text: "All", value: "$__all" },
};

/** Panels from left to right under the title of their row; a line that is full begins the next. */
function laidOut(rows) {
  const panels = [];
  let y = 0;
  for (const [title, ...members] of rows) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 },
      panels: [],
    });
    let x = 0;
    let height = 0;
    for (const panel of members) {
      const h = panel.type === "stat" ? 4 : 8;
      if (x + panel.w > COLUMNS) {
        y += height;
        x = 0;
        height = 0;
      }
      panels.push(panelOf(panel, panels.length + 1, { x, y, w: panel.w, h }));
      x += panel.w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelOf(
  { type = "timeseries", title, unit, description, queries, thresholds },
  id,
  gridPos,
) {
  const isInstant = type === "stat" || type === "table";
  return {
    id,
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        ...(type === "timeseries" && { custom: lines(thresholds) }),
        ...(thresholds !== undefined && {
          color: { mode: type === "timeseries" ? "palette-classic" : "thresholds" },
          thresholds: {
            mode: "absolute",
            steps: thresholds.map(([color, value]) => ({ color, value })),
          },
        }),
      },
      overrides: [],
    },
    options: optionsOf[type],
    ...(type === "table" && { transformations: oneTable }),
    targets: Object.entries(queries).map(([legendFormat, query], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr: expanded(query),
      legendFormat,
      ...(isInstant
        ? { instant: true, range: false, ...(type === "table" && { format: "table" }) }
        : { range: true }),
    })),
  };
}

const lines = (thresholds) => ({
  lineWidth: 1,
  fillOpacity: 5,
  showPoints: "never",
  thresholdsStyle: { mode: thresholds === undefined ? "off" : "dashed" },
});

const optionsOf = {
  timeseries: {
    legend: { displayMode: "list", placement: "bottom" },
    tooltip: { mode: "multi", sort: "desc" },
  },
  stat: {
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    colorMode: "value",
  },
  table: { showHeader: true, cellHeight: "sm" },
  "state-timeline": { showValue: "never", mergeValues: true, rowHeight: 0.8 },
};

/** One row for each series, without what is the same in all. */
const oneTable = [
  { id: "merge", options: {} },
  { id: "organize", options: { excludeByName: { Time: true, __name__: true, job: true } } },
];

function expanded(query) {
  return query.replaceAll("$i", 'instance=~"$instance"').replaceAll("$r", "$__rate_interval");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of rendered()) {
    writeFileSync(new URL(`./grafana/dashboards/${file}`, import.meta.url), text);
  }
}
