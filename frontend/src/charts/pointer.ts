import type { StepAxis } from "../core/axis";
import type { StepView } from "../core/view";

/** What the pointer acts on; queried on each event, so that it is never stale. */
export interface PointerTarget {
  readonly axis: StepAxis;
  readonly steps: readonly number[];
  readonly view: StepView;
  /** Called with the nearest recorded step, and with null when the pointer leaves. */
  onPoint?(event: MouseEvent | null, step: number | null): void;
  onPick?(event: MouseEvent): void;
}

/** Pixels; a shorter drag is a click. */
const MIN_DRAG = 6;

/** Hover reads a step, click pins it, drag zooms, double click shows all steps. Returns a cleanup function. */
export function followPointer(plot: HTMLElement, target: () => PointerTarget): () => void {
  const listening = new AbortController();
  const options = { signal: listening.signal };
  const band = document.createElement("div");
  band.className = "zoom-band";
  band.hidden = true;
  plot.append(band);
  let start: number | null = null;
  let isDragging = false;

  const placeOf = (event: MouseEvent) => {
    const box = plot.getBoundingClientRect();
    return box.width === 0 ? 0 : Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const stepAt = (event: MouseEvent): number | null => {
    const { steps, axis } = target();
    return steps[axis.indexAt(placeOf(event))] ?? null;
  };
  const finish = () => {
    start = null;
    band.hidden = true;
  };

  plot.addEventListener(
    "pointerdown",
    (event) => {
      isDragging = false;
      if (event.button === 0) start = placeOf(event);
    },
    options,
  );
  plot.addEventListener(
    "pointermove",
    (event) => {
      const place = placeOf(event);
      if (start !== null && event.buttons === 0) finish();
      if (start !== null && !isDragging && Math.abs(place - start) * plot.clientWidth >= MIN_DRAG) {
        isDragging = true;
        plot.setPointerCapture(event.pointerId);
      }
      if (isDragging && start !== null) {
        band.hidden = false;
        band.style.left = `${Math.min(start, place) * 100}%`;
        band.style.width = `${Math.abs(place - start) * 100}%`;
      }
      const step = stepAt(event);
      target().onPoint?.(event, step);
      target().view.onHoverStep(step);
    },
    options,
  );
  plot.addEventListener(
    "pointerup",
    (event) => {
      if (isDragging && start !== null) zoomTo(target(), start, placeOf(event));
      finish();
    },
    options,
  );
  plot.addEventListener("pointercancel", finish, options);
  plot.addEventListener(
    "pointerleave",
    () => {
      target().onPoint?.(null, null);
      target().view.onHoverStep(null);
    },
    options,
  );
  plot.addEventListener(
    "click",
    (event) => {
      // This click ends a drag.
      if (isDragging) {
        isDragging = false;
        return;
      }
      target().view.onPinStep(stepAt(event));
      target().onPick?.(event);
    },
    options,
  );
  plot.addEventListener("dblclick", () => target().view.onZoom(null), options);
  return () => {
    listening.abort();
    band.remove();
  };
}

/** Ignores a range with fewer than two recorded steps, which would show nothing. */
function zoomTo({ axis, steps, view }: PointerTarget, start: number, end: number): void {
  const [from, to] = [axis.stepAt(Math.min(start, end)), axis.stepAt(Math.max(start, end))];
  if (steps.filter((step) => step >= from && step <= to).length >= 2) view.onZoom({ from, to });
}
