// Bundles the extension (dist/main.js), the memory view's page (dist/memory.js) and, with --tests, the unit tests.
import { build } from "esbuild";
import { readdirSync, rmSync, statSync } from "node:fs";

/** The most bytes of the bundles, which are read at every start of an editor. */
const BUNDLE_BYTES_MAX = 600_000;
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
    entryPoints: ["src/webview/memory.ts"],
    outfile: "dist/memory.js",
    platform: "browser",
    target: "es2022",
    format: "iife",
  });
  const bytes = statSync("dist/main.js").size + statSync("dist/memory.js").size;
  if (production && bytes > BUNDLE_BYTES_MAX)
    throw new Error(`the bundle has ${bytes} bytes, more than ${BUNDLE_BYTES_MAX}`);
}
