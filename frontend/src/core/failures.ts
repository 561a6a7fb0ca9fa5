import type { ErrorKind } from "./types";

/** Why there is no answer: a kind from the server, or a failure on the way to it. */
export type FailureKind = ErrorKind | "server" | "network" | "malformed";

/** An answer that could not be loaded; `message` is for people. */
export class ApiError extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
  }
}

/** Title of the page when a run cannot be shown. Null for a failure of another sort. */
export function failureTitle(run: string, kind: FailureKind | null): string {
  switch (kind) {
    case "newer_schema":
      return `“${run}” was written by a newer version`;
    case "damaged_run":
      return `“${run}” is damaged`;
    case "too_large":
      return `“${run}” is too large`;
    default:
      return `“${run}” could not be loaded`;
  }
}

export function kindOf(error: Error): FailureKind | null {
  return error instanceof ApiError ? error.kind : null;
}
