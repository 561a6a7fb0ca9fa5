/** Writes the built tab again in fewer bytes: the bundler makes a single pass, and the tab must stay below its limit. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { minify } from "terser";

const path = fileURLToPath(new URL("../../tb_activations/static/index.js", import.meta.url));
const { code } = await minify(readFileSync(path, "utf8"), {
  module: true,
  compress: { passes: 3, ecma: 2020 },
  mangle: true,
});
if (code === undefined) throw new Error(`nothing is left of ${path}`);
writeFileSync(path, code);
