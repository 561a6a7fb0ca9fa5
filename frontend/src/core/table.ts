/** A table of numbers, as it is shown and as it is saved. */
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
  readonly values: readonly number[];
}

/** Digits that tell any two 32-bit floats apart. */
const FLOAT_DIGITS = 9;

function numberCell(value: number): string {
  return Number.isFinite(value)
    ? String(Number(value.toPrecision(FLOAT_DIGITS)))
    : Number.isNaN(value)
      ? ""
      : `${value}`;
}

/** Text as RFC 4180 wants it; what a spreadsheet would take for a formula gets an apostrophe in front. */
function textCell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Numbers in full, without units or grouping; empty = not measured. */
export function toCsv({ rowTitle, columns, rows }: NumberTable): string {
  const head = [rowTitle, ...columns.map(({ title }) => title)].map(textCell);
  const body = rows.map(({ name, values }) => [
    typeof name === "number" ? String(name) : textCell(name),
    ...values.map(numberCell),
  ]);
  return [head, ...body].map((cells) => `${cells.join(",")}\r\n`).join("");
}

const MAX_NAME = 100;

/** A file name from names that may hold anything. */
export function fileName(...parts: readonly string[]): string {
  const safe = parts.map((part) => part.replace(/[^\p{L}\p{N}.-]+/gu, "_").replace(/^[_.]+|[_.]+$/g, ""));
  return `${safe
    .filter((part) => part !== "")
    .join("_")
    .slice(0, MAX_NAME)}.csv`;
}
