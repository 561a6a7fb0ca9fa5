import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SOURCE = fileURLToPath(new URL("../src", import.meta.url));

/** Which parts each part may import. A part is a folder or a top-level file; `panels` has parts of its own. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: ["core"],
  api: ["core"],
  host: ["core"],
  charts: ["core", "charts"],
  state: ["core", "state", "api", "host"],
  "panels/parts": ["core", "charts", "state", "panels/parts"],
  "panels/layer": ["core", "charts", "state", "panels/parts", "panels/layer"],
  "panels/landing": ["core", "charts", "state", "panels/parts", "panels/landing"],
  "panels/run": ["core", "charts", "state", "panels/parts", "panels/run"],
  "panels/thresholds": ["core", "charts", "state", "panels/parts", "panels/thresholds"],
  "panels/app": ["core", "state", "panels/parts", "panels/layer", "panels/landing", "panels/run", "panels/thresholds"],
  main: ["core", "state", "panels/app", "host", "styles"],
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
  const [first = "", second = ""] = path.split("/");
  return (first === "panels" ? `${first}/${second}` : first).replace(/(\.d)?\.\w+$/, "");
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

/** Files that lead back to themselves through their imports. */
function circles(sources: readonly Source[]): string[] {
  const targets = new Map(sources.map((source) => [source.path.replace(/\.tsx?$/, ""), importsOf(source)]));
  const reaches = (from: string, wanted: string, seen: Set<string>): boolean =>
    (targets.get(from) ?? []).some((next) => {
      if (next === wanted) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, wanted, seen);
    });
  return [...targets.keys()].filter((path) => reaches(path, path, new Set()));
}

/** Names that only one part may use. */
const OWNERS: readonly { readonly word: RegExp; readonly owners: readonly string[] }[] = [
  { word: /\bfetch\(/, owners: ["api.ts"] },
  { word: /\bparent\b|\bframeElement\b/, owners: ["host.ts"] },
  { word: /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, owners: [] },
  // A panel declares with `Pick` which members it reads.
  { word: /store: Store\b/, owners: ["panels/app.tsx", "main.tsx"] },
];
const DOM = /\b(document|window|HTMLElement|Element|navigator|location)\b[.(]/;

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");

describe("the parts of the page", () => {
  it("are all known", () => {
    expect(SOURCES.length).toBeGreaterThan(20);
    expect([...new Set(SOURCES.map(({ path }) => partOf(path)))].sort()).toEqual(Object.keys(ALLOWED).sort());
  });

  it.each(SOURCES)("$path imports only from parts below it", (source) => {
    expect(forbiddenImports(source)).toEqual([]);
  });

  it("have no import circles", () => {
    expect(circles(SOURCES)).toEqual([]);
  });

  it.each(SOURCES)("$path does not use what other parts own", ({ path, text }) => {
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

  it("would be noticed importing upwards, sideways or in a circle", () => {
    const text = 'import { App } from "../panels/app";';
    expect(forbiddenImports({ path: "core/x.ts", text })).toEqual(["panels/app"]);
    expect(forbiddenImports({ path: "panels/run/x.tsx", text: 'import { x } from "../../api";' })).toEqual(["api"]);
    expect(forbiddenImports({ path: "panels/parts/x.tsx", text: 'import { x } from "../run/y";' })).toEqual([
      "panels/run/y",
    ]);
    expect(forbiddenImports({ path: "panels/layer/x.tsx", text: 'import { x } from "../run/y";' })).toEqual([
      "panels/run/y",
    ]);
    expect(
      circles([
        { path: "core/a.ts", text: 'import { b } from "./b";' },
        { path: "core/b.ts", text: 'import { a } from "./a";' },
        { path: "core/c.ts", text: 'import { a } from "./a";' },
      ]),
    ).toEqual(["core/a", "core/b"]);
  });
});

const TESTS = fileURLToPath(new URL(".", import.meta.url));

describe("the tests", () => {
  it("lie under the path of the module that they test", () => {
    const modules = new Set(SOURCES.map(({ path }) => path.replace(/\.tsx?$/, "")));
    const tests = readdirSync(TESTS, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".test.ts"))
      .map((path) =>
        path
          .split(sep)
          .join("/")
          .replace(/\.test\.ts$/, ""),
      );
    expect(tests.filter((path) => !modules.has(path))).toEqual(["arrows", "server_answers"]);
  });
});
