// Checks the dashboards against the types that Grafana publishes as @grafana/schema: each as a
// Dashboard, and each panel's options and custom field settings as its panel type has them. A
// name that Grafana does not know, a missing one and a value out of its lists are errors. What
// the package leaves open (queries, transformations, links of fields) is left to other tests.
//
//   node check.mjs NODE_MODULES DASHBOARD.json...      exit 0 when nothing is found
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

const [modules, ...files] = process.argv.slice(2);
if (!files.length) {
  console.error("check.mjs: expected NODE_MODULES and at least one dashboard");
  process.exit(64);
}
// where the package keeps what a panel type's settings are
const TYPES = {
  heatmap: "heatmap/panelcfg/x/HeatmapPanelCfg_types.gen",
  stat: "stat/panelcfg/x/StatPanelCfg_types.gen",
  "state-timeline": "statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen",
  table: "table/panelcfg/x/TablePanelCfg_types.gen",
  timeseries: "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen",
};

const lines = [
  'import type { Dashboard } from "@grafana/schema";',
  // JSON has the values of string enums, not their names
  "type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;",
];
const alias = (type) => type.replace(/\W/g, "_");
for (const [type, path] of Object.entries(TYPES)) {
  lines.push(
    `import type * as ${alias(type)} from "@grafana/schema/dist/esm/raw/composable/${path}";`,
  );
}
let checked = 0;
for (const file of files) {
  const board = JSON.parse(readFileSync(file, "utf8"));
  const name = alias(basename(file, ".json"));
  lines.push(`export const ${name}: Json<Dashboard> = ${JSON.stringify(board)};`);
  for (const panel of board.panels.filter((panel) => panel.type !== "row")) {
    const settings = TYPES[panel.type];
    if (!settings) {
      console.error(`${file}: panel ${panel.id}: no types are known of ${panel.type}`);
      process.exit(1);
    }
    const own = `${name}_${panel.id}`;
    const options = `Json<Partial<${alias(panel.type)}.Options>>`;
    lines.push(`export const ${own}_options: ${options} = ${JSON.stringify(panel.options)};`);
    const custom = panel.fieldConfig.defaults.custom;
    // a stat has none
    if (custom) {
      const type = panel.type === "table" ? "Record<string, unknown>" : `Json<${alias(panel.type)}.FieldConfig>`;
      lines.push(`export const ${own}_custom: ${type} = ${JSON.stringify(custom)};`);
    }
    checked += 1;
  }
}
const scratch = mkdtempSync(join(tmpdir(), "mailward-grafana-"));
try {
  symlinkSync(resolve(modules), join(scratch, "node_modules"));
  writeFileSync(join(scratch, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(scratch, "dashboards.ts"), lines.join("\n"));
  const compile = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "dashboards.ts"];
  execFileSync(join(scratch, "node_modules/.bin/tsc"), compile, { cwd: scratch, encoding: "utf8" });
} catch (error) {
  console.error(`${error.stdout ?? ""}${error.stderr ?? ""}` || `${error}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (!process.exitCode) {
  console.log(`${files.length} dashboards, ${checked} panels: as @grafana/schema has them`);
}
