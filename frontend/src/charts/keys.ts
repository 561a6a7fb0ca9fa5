import type { ReadonlySignal } from "@preact/signals";

/** What the arrow keys move through: rows, and the step all panels share. */
export interface Movable {
  readonly rowNames: readonly string[];
  readonly selectedRow: number;
  readonly cursor: ReadonlySignal<number | null>;
  onSelectRow(row: number): void;
  onPinStep(step: number | null): void;
}

const LEAP = 10;

/** Whether the key meant anything. */
export function moveByKey(event: KeyboardEvent, props: Movable, steps: readonly number[]): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const leap = event.shiftKey ? LEAP : 1;
  const last = steps.length - 1;
  const current = props.cursor.peek();
  const index =
    current === null
      ? last
      : Math.max(
          0,
          steps.findLastIndex((step) => step <= current),
        );
  const toStep = (target: number) => props.onPinStep(steps[Math.min(last, Math.max(0, target))] ?? null);
  const toRow = (target: number) => props.onSelectRow(Math.min(props.rowNames.length - 1, Math.max(0, target)));
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
      toRow(props.selectedRow - leap);
      return true;
    case "ArrowDown":
      toRow(props.selectedRow + leap);
      return true;
    case "Escape":
      props.onPinStep(null);
      return true;
    default:
      return false;
  }
}
