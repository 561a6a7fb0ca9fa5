/** Draws a chart as SVG elements into a group whose origin is the upper left corner of the chart. */
export type VectorDrawing = (group: SVGGElement) => void;

const DRAWINGS = new WeakMap<Element, VectorDrawing>();

/** For an exported picture, the chart in this element is drawn as lines instead of pixels. */
export function drawsAsVector(chart: Element, drawing: VectorDrawing): void {
  DRAWINGS.set(chart, drawing);
}

export function vectorOf(chart: Element): VectorDrawing | undefined {
  return DRAWINGS.get(chart);
}

const SVG = "http://www.w3.org/2000/svg";

export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>> = {},
): SVGElementTagNameMap[Tag] {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  return created;
}

/** A text; its position is that of its baseline. */
export function svgText(text: string, attributes: Readonly<Record<string, string | number>>): SVGTextElement {
  const created = svgElement("text", attributes);
  created.textContent = text;
  return created;
}
