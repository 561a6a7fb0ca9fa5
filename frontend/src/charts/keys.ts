import { zoomBy } from "../core/axis";
import type { StepView } from "../core/view";

/** What the arrow keys move through: rows, and the step that all panels share. */
export interface Movable {
  readonly rowNames: readonly string[];
  readonly steps: readonly number[];
  readonly selectedRow: number;
  readonly view: StepView;
  onSelectRow(row: number): void;
}

const LEAP = 10;

/** Returns whether the key was handled. */
export function moveByKey(event: KeyboardEvent, { rowNames, steps, selectedRow, view, onSelectRow }: Movable): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const leap = event.shiftKey ? LEAP : 1;
  const last = steps.length - 1;
  const current = view.cursor.peek();
  const index =
    current === null
      ? last
      : Math.max(
          0,
          steps.findLastIndex((step) => step <= current),
        );
  const toStep = (target: number) => view.onPinStep(steps[Math.min(last, Math.max(0, target))] ?? null);
  const toRow = (target: number) => onSelectRow(Math.min(rowNames.length - 1, Math.max(0, target)));
  const zoom = (factor: number) => view.onZoom(zoomBy(view.zoom, view.whole, current, factor));
  switch (event.key) {
    case "ArrowLeft":
      toStep(index - leap);
      return true;
    case "ArrowRight":
      toStep(index + leap);
      return true;
    case "Home":
      toStep(0);
      return true;
    case "End":
      toStep(last);
      return true;
    case "ArrowUp":
      toRow(selectedRow - leap);
      return true;
    case "ArrowDown":
      toRow(selectedRow + leap);
      return true;
    case "+":
    case "=":
      zoom(0.5);
      return true;
    case "-":
      zoom(2);
      return true;
    case "0":
      view.onZoom(null);
      return true;
    case "Escape":
      view.onPinStep(null);
      view.onZoom(null);
      return true;
    default:
      return false;
  }
}
