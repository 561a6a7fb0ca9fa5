import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { panelSvg, pngFile, svgFile } from "../../charts/snapshot";
import { fileName, type NumberTable, toCsv } from "../../core/table";
import { copyText, saveFile } from "./save";

interface ExportProps {
  /** Of the panel, for people. */
  readonly subject: string;
  /** Parts of the names of the saved files. */
  readonly file: readonly string[];
  /** The numbers of the panel; null while there are none. */
  table(): NumberTable | null;
  /** Whether the panel shows something worth a picture; true by default. */
  readonly isPicture?: boolean;
}

const NOTHING = "Nothing to export yet.";

/** Saves a panel as picture or its numbers as CSV. */
export function ExportMenu({ subject, file, table, isPicture = true }: ExportProps) {
  const menu = useRef<HTMLDetailsElement>(null);
  const message = useSignal("");
  const save = async (make: (panel: HTMLElement) => Promise<Blob> | Blob | null, extension: string) => {
    const panel = menu.current?.closest<HTMLElement>(".panel");
    if (menu.current !== null) menu.current.open = false;
    if (panel == null) return;
    try {
      const content = await make(panel);
      message.value = content === null ? NOTHING : "";
      if (content !== null) saveFile(content, fileName(extension, ...file));
    } catch (error) {
      message.value = String(error);
    }
  };
  const csv = () => {
    const numbers = table();
    return numbers === null ? null : new Blob([toCsv(numbers)], { type: "text/csv;charset=utf-8" });
  };
  // For frames that forbid downloads, as in some editors.
  const copy = async () => {
    const numbers = table();
    const isCopied = numbers !== null && (await copyText(toCsv(numbers)));
    if (menu.current !== null) menu.current.open = false;
    message.value = numbers === null ? NOTHING : isCopied ? "Copied." : "The browser does not let this page copy.";
  };
  return (
    <>
      <details ref={menu} class="menu menu-end">
        <summary aria-label={`Export: ${subject}`}>Export</summary>
        <fieldset>
          <legend class="only-read">Export as</legend>
          {isPicture && (
            <>
              <button type="button" onClick={() => save((panel) => svgFile(panelSvg(panel)), "svg")}>
                SVG
              </button>
              <button type="button" onClick={() => save((panel) => pngFile(panelSvg(panel)), "png")}>
                PNG
              </button>
            </>
          )}
          <button type="button" onClick={() => save(csv, "csv")}>
            CSV
          </button>
          <button type="button" onClick={copy}>
            Copy CSV
          </button>
        </fieldset>
      </details>
      {message.value !== "" && (
        <span class="quiet-words" role="status">
          {message.value}
        </span>
      )}
    </>
  );
}
