import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SOURCE = fileURLToPath(new URL("../src", import.meta.url));

/** Which parts each part may import; a part is a folder or a file at the top. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: ["core"],
  api: ["core"],
  host: ["core"],
  charts: ["core", "charts"],
  state: ["core", "state", "api", "host"],
  panels: ["core", "charts", "state", "panels"],
  main: ["core", "state", "panels", "host", "styles"],
  "vite-env": [],
};

interface Source {
  readonly path: string;
  readonly text: string;
}

const SOURCES: readonly Source[] = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => ({ path: path.split(sep).join("/"), text: readFileSync(join(SOURCE, path), "utf8") }));

function partOf(path: string): string {
  return (path.split("/")[0] ?? "").replace(/(\.d)?\.\w+$/, "");
}

function importsOf({ path, text }: Source): string[] {
  return [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, target = ""]) =>
    relative(".", posix.join(dirname(path), target.replace(/\?.*$/, ""))),
  );
}

function forbiddenImports(source: Source): string[] {
  const allowed = ALLOWED[partOf(source.path)];
  return importsOf(source).filter((target) => allowed === undefined || !allowed.includes(partOf(target)));
}

/** Names whose use is the business of one part only. */
const OWNERS: readonly { readonly word: RegExp; readonly owners: readonly string[] }[] = [
  { word: /\bfetch\(/, owners: ["api.ts"] },
  { word: /\bparent\b|\bframeElement\b/, owners: ["host.ts"] },
  { word: /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, owners: [] },
];
const DOM = /\b(document|window|HTMLElement|Element|navigator|location)\b[.(]/;

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");

describe("the parts of the page", () => {
  it("are all known", () => {
    expect(SOURCES.length).toBeGreaterThan(20);
    expect([...new Set(SOURCES.map(({ path }) => partOf(path)))].sort()).toEqual(Object.keys(ALLOWED).sort());
  });

  it.each(SOURCES)("$path imports only what stands below it", (source) => {
    expect(forbiddenImports(source)).toEqual([]);
  });

  it.each(SOURCES)("$path leaves to others what is theirs", ({ path, text }) => {
    const code = withoutComments(text);
    for (const { word, owners } of OWNERS) if (!owners.includes(path)) expect(code).not.toMatch(word);
    if (path.startsWith("core/")) expect(code).not.toMatch(DOM);
  });

  it("do not move by themselves, so that there is no motion to reduce", () => {
    const styles = readdirSync(join(SOURCE, "styles")).map((name) =>
      readFileSync(join(SOURCE, "styles", name), "utf8"),
    );
    expect(styles.length).toBeGreaterThan(4);
    expect(styles.join("\n")).not.toMatch(/transition|animation|@keyframes|scroll-behavior/);
  });

  it("would be noticed importing upwards", () => {
    const text = 'import { App } from "../panels/app";';
    expect(forbiddenImports({ path: "core/x.ts", text })).toEqual(["panels/app"]);
    expect(forbiddenImports({ path: "panels/x.tsx", text: 'import { x } from "../api";' })).toEqual(["api"]);
  });
});
