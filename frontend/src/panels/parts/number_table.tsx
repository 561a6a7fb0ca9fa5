import { useSignal } from "@preact/signals";
import { formatCount, formatValue } from "../../core/format";
import { fileName, type NumberTable, toCsv } from "../../core/table";
import { saveFile } from "./save";

interface NumbersProps {
  /** Accessible name. */
  readonly name: string;
  readonly table: NumberTable;
  /** Parts of the name of the saved file. */
  readonly file: readonly string[];
}

/** The numbers of a chart as a table that can be saved. */
export function Numbers({ name, table, file }: NumbersProps) {
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached with the keyboard */}
      <section class="table-scroll" tabIndex={0} aria-label={name}>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">{table.rowTitle}</th>
              {table.columns.map(({ title }) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((row) => (
              <tr key={row.name}>
                <th scope="row">{typeof row.name === "number" ? formatCount(row.name) : row.name}</th>
                {table.columns.map(({ title, unit }, column) => (
                  <td key={title}>{formatValue(row.values[column], unit)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="table-foot">
        <button
          type="button"
          onClick={() =>
            saveFile(new Blob([toCsv(table)], { type: "text/csv;charset=utf-8" }), fileName("csv", ...file))
          }
          aria-label={`Download CSV: ${name}`}
        >
          Download CSV
        </button>
      </p>
    </>
  );
}

/** Switches between chart and table. */
export function useTableChoice() {
  const isTable = useSignal(false);
  const button = (
    <button
      type="button"
      aria-pressed={isTable.value}
      onClick={() => {
        isTable.value = !isTable.value;
      }}
    >
      Table
    </button>
  );
  return { isTable: isTable.value, button };
}
