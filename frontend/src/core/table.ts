/** A table of numbers, for display and download. */
export interface NumberTable {
  /** Title of the first column, which names the rows. */
  readonly rowTitle: string;
  readonly columns: readonly NumberColumn[];
  readonly rows: readonly NumberRow[];
}

export interface NumberColumn {
  readonly title: string;
  readonly unit: string;
}

export interface NumberRow {
  /** Unique in the table. */
  readonly name: string | number;
  /** One for each column; NaN = not measured. */
  readonly values: readonly (number | string)[];
}

/** Enough digits to distinguish any two 32-bit floats. */
const FLOAT_DIGITS = 9;

function numberCell(value: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(FLOAT_DIGITS)))
    : Number.isNaN(value)
      ? ""
      : `${value}`;
}

/** Text quoted as in RFC 4180; an apostrophe precedes what a spreadsheet would evaluate as a formula. */
function textCell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Numbers at full precision, without units or grouping; empty = not measured. */
export function toCsv({ rowTitle, columns, rows }: NumberTable): string {
  const head = [rowTitle, ...columns.map(({ title }) => title)].map(textCell);
  const body = rows.map(({ name, values }) => [
    typeof name === "number" ? String(name) : textCell(name),
    ...values.map((value) => (typeof value === "number" ? numberCell(value) : textCell(value))),
  ]);
  return [head, ...body].map((cells) => `${cells.join(",")}\r\n`).join("");
}

const MAX_NAME = 100;

/** A safe file name from arbitrary names. */
export function fileName(extension: string, ...parts: readonly string[]): string {
  const safe = parts.map((part) => part.replace(/[^\p{L}\p{N}.-]+/gu, "_").replace(/^[_.]+|[_.]+$/g, ""));
  return `${safe
    .filter((part) => part !== "")
    .join("_")
    .slice(0, MAX_NAME)}.${extension}`;
}
