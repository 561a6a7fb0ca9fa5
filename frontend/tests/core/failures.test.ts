import { describe, expect, it } from "vitest";
import { ApiError, failureTitle, kindOf } from "../../src/core/failures";

describe("failureTitle", () => {
  it("blames a newer version only for the kind newer_schema", () => {
    expect(failureTitle("a", "newer_schema")).toBe("“a” was written by a newer version");
    expect(failureTitle("a", "damaged_run")).toBe("“a” is damaged");
    expect(failureTitle("a", "too_large")).toBe("“a” is too large");
    for (const kind of ["unknown_run", "server", "network", "malformed", null] as const) {
      expect(failureTitle("a", kind)).toBe("“a” could not be loaded");
    }
  });
});

describe("kindOf", () => {
  it("is null for an error of another sort", () => {
    expect(kindOf(new ApiError("too_large", ""))).toBe("too_large");
    expect(kindOf(new Error("x"))).toBeNull();
  });
});
