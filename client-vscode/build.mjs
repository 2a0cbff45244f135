// Bundles the extension (dist/main.js), the pages of its webviews (dist/memory.js, …) and, with --tests, the unit tests.
import { build } from "esbuild";
import { readdirSync, rmSync, statSync } from "node:fs";

/** The most bytes of the bundles, which are read at every start of an editor. */
const BUNDLE_BYTES_MAX = 600_000;
const PAGES = ["memory", "transcript"];
const production = process.argv.includes("--production");
const common = { bundle: true, minify: production, sourcemap: production ? false : "inline", logLevel: "warning" };
const node = { ...common, platform: "node", target: "node18", format: "cjs", external: ["vscode"] };

if (process.argv.includes("--tests")) {
  rmSync("dist-test", { recursive: true, force: true }); // a test that was renamed would run under both names
  const entryPoints = readdirSync("test/unit")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/unit/${name}`);
  await build({ ...node, external: ["vscode", "typescript"], entryPoints, outdir: "dist-test" });
} else {
  await build({ ...node, entryPoints: ["src/main.ts"], outfile: "dist/main.js" });
  await build({
    ...common,
    entryPoints: PAGES.map((name) => `src/webview/${name}.ts`),
    outdir: "dist",
    platform: "browser",
    target: "es2022",
    format: "iife",
  });
  const bytes = ["main", ...PAGES].reduce((sum, name) => sum + statSync(`dist/${name}.js`).size, 0);
  if (production && bytes > BUNDLE_BYTES_MAX)
    throw new Error(`the bundle has ${bytes} bytes, more than ${BUNDLE_BYTES_MAX}`);
}
