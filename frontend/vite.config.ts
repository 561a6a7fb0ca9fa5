import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    lib: { entry: "src/main.tsx", formats: ["es"], fileName: () => "index.js" },
    outDir: fileURLToPath(new URL("../tb_activations/static", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // A library build keeps its white space unless the output itself asks for less.
    rolldownOptions: { output: { minify: true } },
    license: { fileName: "THIRD_PARTY_LICENSES.md" },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  test: { environment: "node", include: ["tests/**/*.test.{ts,tsx}"] },
});
