// Writes BUILD.json next to the bundle: the sha256 of all inputs and outputs of the build, so that tests detect a
// forgotten rebuild or a hand edit without Node.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const frontend = fileURLToPath(new URL("..", import.meta.url));
const output = fileURLToPath(new URL("../../tb_activations/static", import.meta.url));
const MANIFEST = "BUILD.json";
const INPUT_FILES = [".npmrc", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"];
const INPUT_FOLDERS = ["scripts", "src"];

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function hashes(root, files) {
  const entries = files.map((file) => [
    relative(root, file).split(sep).join("/"),
    createHash("sha256").update(readFileSync(file)).digest("hex"),
  ]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const inputs = [
  ...INPUT_FILES.map((name) => join(frontend, name)),
  ...INPUT_FOLDERS.flatMap((name) => filesBelow(join(frontend, name))),
];
const outputs = filesBelow(output).filter((file) => relative(output, file) !== MANIFEST);
const manifest = { inputs: hashes(frontend, inputs), outputs: hashes(output, outputs) };
writeFileSync(join(output, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
