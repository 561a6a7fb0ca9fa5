import { svgElement, svgText, vectorOf } from "./vector";

/** Controls and what only screen readers get are no part of a picture. */
const LEFT_OUT =
  "button:not(.layer, .map-row), select, input, label, details, fieldset, .panel-tools, .only-read, .tooltip, .zoom-band";

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A panel as an SVG picture of its own: charts as lines where they can, rasters as images, all texts as texts. */
export function panelSvg(panel: HTMLElement): SVGSVGElement {
  const box = panel.getBoundingClientRect();
  const picture = svgElement("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    width: Math.ceil(box.width),
    height: Math.ceil(box.height),
    viewBox: `${box.left} ${box.top} ${Math.ceil(box.width)} ${Math.ceil(box.height)}`,
  });
  draw(panel, picture, box);
  return picture;
}

function draw(element: Element, picture: SVGSVGElement, clip: Frame): void {
  if (element.matches(LEFT_OUT)) return;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden") return;
  const vector = vectorOf(element);
  if (vector !== undefined) {
    const group = svgElement("g", { transform: `translate(${box.left} ${box.top})` });
    vector(group);
    picture.append(group);
    return;
  }
  if (element instanceof HTMLCanvasElement) drawImage(picture, element.toDataURL(), box);
  else if (element instanceof HTMLImageElement) drawImage(picture, pixelsOf(element), box);
  else if (element instanceof SVGSVGElement) drawSvg(picture, element, box);
  else drawElement(element, picture, style, clip);
}

function drawElement(element: Element, picture: SVGSVGElement, style: CSSStyleDeclaration, clip: Frame): void {
  const box = element.getBoundingClientRect();
  drawBox(picture, style, box);
  const inner = style.overflow === "visible" ? clip : intersection(clip, box);
  for (const child of element.childNodes) {
    if (child instanceof Text) drawText(picture, child, style, inner);
    else if (child instanceof Element) draw(child, picture, inner);
  }
}

function intersection(a: Frame, b: Frame): Frame {
  return {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  };
}

function drawImage(picture: SVGSVGElement, href: string, { left, top, width, height }: DOMRect): void {
  const shape = { href, x: left, y: top, width, height, preserveAspectRatio: "none" };
  picture.append(svgElement("image", { ...shape, style: "image-rendering: pixelated" }));
}

function pixelsOf(image: HTMLImageElement): string {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  return canvas.toDataURL();
}

const DRAWN_STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "vector-effect"] as const;

/** The style sheet does not travel with the picture, so every element gets its computed style. */
function drawSvg(picture: SVGSVGElement, svg: SVGSVGElement, { left, top, width, height }: DOMRect): void {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((element, index) => {
    const original = originals[index];
    if (original === undefined) return;
    const computed = getComputedStyle(original);
    for (const name of DRAWN_STYLES) element.setAttribute(name, computed.getPropertyValue(name));
    element.removeAttribute("class");
  });
  for (const [name, value] of Object.entries({ x: left, y: top, width, height })) copy.setAttribute(name, `${value}`);
  picture.append(copy);
}

const NOTHING = "rgba(0, 0, 0, 0)";

function drawBox(picture: SVGSVGElement, style: CSSStyleDeclaration, { left, top, width, height }: DOMRect): void {
  const gradient = gradientOf(picture, style.backgroundImage);
  const fill = gradient ?? style.backgroundColor;
  const hasBorder =
    style.borderTopWidth !== "0px" && style.borderLeftWidth !== "0px" && style.borderTopStyle !== "none";
  if ((fill === NOTHING && !hasBorder) || width === 0 || height === 0) return;
  const stroke = hasBorder ? { stroke: style.borderTopColor, "stroke-width": style.borderTopWidth } : {};
  picture.append(
    svgElement("rect", { x: left, y: top, width, height, fill: fill === NOTHING ? "none" : fill, ...stroke }),
  );
}

/** The color bar: evenly spaced stops from left to right. */
function gradientOf(picture: SVGSVGElement, image: string): string | null {
  if (!image.startsWith("linear-gradient(to right")) return null;
  const colors = image.match(/rgb\([^)]*\)/g) ?? [];
  const id = `gradient-${picture.querySelectorAll("linearGradient").length}`;
  const gradient = svgElement("linearGradient", { id });
  colors.forEach((color, index) => {
    gradient.append(svgElement("stop", { offset: index / Math.max(1, colors.length - 1), "stop-color": color }));
  });
  picture.append(gradient);
  return `url(#${id})`;
}

/** One text per line, at the place where the browser broke it. */
function drawText(picture: SVGSVGElement, node: Text, style: CSSStyleDeclaration, clip: Frame): void {
  for (const { text, box } of linesOf(node)) {
    const middle = (box.top + box.bottom) / 2;
    if (box.width === 0 || middle < clip.top || middle > clip.bottom || box.left > clip.right) continue;
    picture.append(
      svgText(text, {
        x: box.left,
        y: middle + Number.parseFloat(style.fontSize) * 0.35,
        fill: style.color,
        "font-family": style.fontFamily.replaceAll('"', "'"),
        "font-size": style.fontSize,
        "font-weight": style.fontWeight,
      }),
    );
  }
}

interface TextPart {
  readonly text: string;
  readonly box: DOMRect;
}

function linesOf(node: Text): TextPart[] {
  const lines: { text: string; box: DOMRect }[] = [];
  for (const word of node.data.matchAll(/\S+\s*/g)) {
    const range = document.createRange();
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].trimEnd().length);
    const box = range.getBoundingClientRect();
    const line = lines[lines.length - 1];
    if (line !== undefined && Math.abs(line.box.top - box.top) < 2) line.text += word[0];
    else lines.push({ text: word[0], box });
  }
  return lines;
}

export function svgFile(picture: SVGSVGElement): Blob {
  return new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" });
}

/** Sharp on dense screens and in documents. */
const PIXEL_RATIO = 2;

export async function pngFile(picture: SVGSVGElement): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(picture))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Number(picture.getAttribute("width")) * PIXEL_RATIO;
  canvas.height = Number(picture.getAttribute("height")) * PIXEL_RATIO;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) =>
      blob === null ? reject(new Error("The browser cannot draw this picture.")) : resolve(blob),
    );
  });
}
