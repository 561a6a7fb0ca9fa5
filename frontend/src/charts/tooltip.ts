/** What a tooltip says about one step. */
export interface TipText {
  readonly title: string;
  readonly rows: readonly TipRow[];
  /** Events near the step. */
  readonly notes: readonly string[];
}

export interface TipRow {
  readonly color: string;
  readonly dash: readonly number[];
  readonly name: string;
  readonly value: string;
}

/** Pixels between the pointer and the tooltip, and between it and the edges of the window. */
const DISTANCE = 14;
const MARGIN = 6;

export interface Tooltip {
  show(text: TipText, event: MouseEvent): void;
  hide(): void;
  remove(): void;
}

/** A box next to the pointer that never leaves the window. Tables and readouts hold the same for screen readers. */
export function createTooltip(holder: HTMLElement): Tooltip {
  const box = document.createElement("div");
  box.className = "tooltip";
  box.setAttribute("aria-hidden", "true");
  box.hidden = true;
  holder.append(box);
  return {
    show: (text, event) => {
      box.replaceChildren(element("b", text.title), ...text.rows.map(rowOf), ...text.notes.map(noteOf));
      box.hidden = false;
      const { clientWidth, clientHeight } = document.documentElement;
      const isRight = event.clientX + DISTANCE + box.offsetWidth + MARGIN > clientWidth;
      const left = isRight ? event.clientX - DISTANCE - box.offsetWidth : event.clientX + DISTANCE;
      const top = Math.min(event.clientY + DISTANCE, clientHeight - box.offsetHeight - MARGIN);
      box.style.left = `${Math.max(MARGIN, left)}px`;
      box.style.top = `${Math.max(MARGIN, top)}px`;
    },
    hide: () => {
      box.hidden = true;
    },
    remove: () => box.remove(),
  };
}

function element(tag: string, text: string): HTMLElement {
  const created = document.createElement(tag);
  created.textContent = text;
  return created;
}

const SVG = "http://www.w3.org/2000/svg";

function rowOf({ color, dash, name, value }: TipRow): HTMLElement {
  const row = document.createElement("div");
  row.className = "tooltip-row";
  const key = document.createElementNS(SVG, "svg");
  key.setAttribute("width", "18");
  key.setAttribute("height", "8");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", "M0 4H18");
  line.setAttribute("stroke", color);
  line.setAttribute("stroke-width", "2.5");
  line.setAttribute("stroke-dasharray", dash.join(" "));
  key.append(line);
  row.append(key, element("span", name), element("b", value));
  return row;
}

function noteOf(text: string): HTMLElement {
  const note = element("div", text);
  note.className = "tooltip-note";
  return note;
}
