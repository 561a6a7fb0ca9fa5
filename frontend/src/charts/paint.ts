import type { StepAxis } from "../core/axis";
import { pixelColumns, type Reduce, rowPixels, type Stretch, stretches } from "../core/raster";
import { unreachable } from "../core/unreachable";

import type { CellLook, LookOf, Pattern } from "./look";

export interface MatrixData {
  readonly rowCount: number;
  readonly stepCount: number;
  /** `[rows, steps]` in row-major order. */
  readonly values: Float32Array;
  readonly axis: StepAxis;
  readonly reduce: Reduce;
}

export interface PaintSize {
  /** Of the drawing, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  readonly pixelRatio: number;
}

const MIN_GLYPH_ROW = 12;
const MIN_GLYPH_WIDTH = 13;
const MIN_OUTLINE_ROW = 5;
const MIN_GAP_ROW = 6;

/** Draws all cells: colors as one image, then patterns, outlines and glyphs where there is room; steps without a record last. */
export function paintMatrix(
  canvas: HTMLCanvasElement,
  data: MatrixData,
  lookOf: LookOf,
  gap: CellLook,
  size: PaintSize,
): void {
  const width = Math.max(1, Math.round(size.width * size.pixelRatio));
  const height = Math.max(1, Math.round(size.height * size.pixelRatio));
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (context === null || data.rowCount === 0 || data.stepCount === 0) return;

  const columns = pixelColumns(data.axis, width);
  const image = new ImageData(width, data.rowCount);
  const special: Block[] = [];
  for (let row = 0; row < data.rowCount; row++) {
    for (const stretch of stretches(rowPixels(data.values, data.stepCount, row, columns, data.reduce))) {
      const look = lookOf(stretch.value);
      fillStretch(image, row, stretch, look);
      if (look.ink !== null) special.push({ row, rows: 1, stretch, look });
    }
  }
  drawScaled(context, image, width, height);
  const rowHeight = height / data.rowCount;
  const isThin = rowHeight < MIN_OUTLINE_ROW * size.pixelRatio;
  for (const block of isThin ? mergedBlocks(special) : special) drawSpecial(context, block, rowHeight, size.pixelRatio);
  if (rowHeight >= MIN_GAP_ROW * size.pixelRatio) clearGaps(context, data.rowCount, width, rowHeight, size.pixelRatio);
  for (const { from, to, value } of stretches(Float32Array.from(columns.start, (start) => (start < 0 ? 1 : 0)))) {
    if (value === 0) continue;
    context.clearRect(from, 0, to - from, height);
    drawPattern(context, gap.pattern, gap.ink ?? "", [from, 0, to - from, height], size.pixelRatio);
  }
}

/** Equal cells that are not only filled, in one row or in several. */
interface Block {
  readonly row: number;
  readonly rows: number;
  readonly stretch: Stretch;
  readonly look: CellLook;
}

/** Joins equal stretches of rows below each other: thousands of thin rows are drawn as a few blocks. */
function mergedBlocks(blocks: readonly Block[]): Block[] {
  const open = new Map<string, Block>();
  const merged: Block[] = [];
  for (const block of blocks) {
    const { from, to, value } = block.stretch;
    const key = `${from} ${to} ${value}`;
    const above = open.get(key);
    if (above !== undefined && above.row + above.rows === block.row) {
      open.set(key, { ...above, rows: above.rows + 1 });
      continue;
    }
    if (above !== undefined) merged.push(above);
    open.set(key, block);
  }
  return [...merged, ...open.values()].filter(({ look }) => look.pattern !== "none");
}

function fillStretch(image: ImageData, row: number, stretch: Stretch, look: CellLook): void {
  const [red, green, blue] = look.fill;
  for (let column = stretch.from; column < stretch.to; column++) {
    const offset = (row * image.width + column) * 4;
    image.data[offset] = red;
    image.data[offset + 1] = green;
    image.data[offset + 2] = blue;
    image.data[offset + 3] = 255;
  }
}

function drawScaled(context: CanvasRenderingContext2D, image: ImageData, width: number, height: number): void {
  const source = document.createElement("canvas");
  source.width = image.width;
  source.height = image.height;
  source.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(source, 0, 0, width, height);
}

function drawSpecial(
  context: CanvasRenderingContext2D,
  { row, rows, stretch, look }: Block,
  rowHeight: number,
  pixelRatio: number,
): void {
  const left = stretch.from;
  const top = Math.round(row * rowHeight);
  const width = stretch.to - stretch.from;
  const height = Math.round((row + rows) * rowHeight) - top;
  const ink = look.ink ?? "";
  if (look.pattern !== "none") drawPattern(context, look.pattern, ink, [left, top, width, height], pixelRatio);
  const isTall = rowHeight >= MIN_OUTLINE_ROW * pixelRatio;
  if (look.pattern === "none" && isTall && width >= 3 * pixelRatio) {
    context.strokeStyle = ink;
    context.globalAlpha = 0.55;
    context.lineWidth = pixelRatio;
    const inset = pixelRatio / 2;
    context.strokeRect(left + inset, top + inset, width - pixelRatio, height - 2 * pixelRatio);
    context.globalAlpha = 1;
  }
  if (look.glyph !== "" && rowHeight >= MIN_GLYPH_ROW * pixelRatio && width >= MIN_GLYPH_WIDTH * pixelRatio) {
    const glyphSize = Math.min(11, (rowHeight / pixelRatio) * 0.62);
    context.font = `${glyphSize * pixelRatio}px sans-serif`;
    context.fillStyle = ink;
    context.textBaseline = "middle";
    context.fillText(look.glyph, left + 3 * pixelRatio, top + height / 2);
  }
}

type Box = readonly [left: number, top: number, width: number, height: number];

/** Anchored at the canvas, so that the pattern continues across cells. */
export function drawPattern(
  context: CanvasRenderingContext2D,
  pattern: Pattern,
  ink: string,
  [left, top, width, height]: Box,
  pixelRatio: number,
): void {
  const spacing = 6 * pixelRatio;
  const middle = Math.round(top + height / 2) + 0.5;
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = ink;
  context.lineWidth = pixelRatio * (["hatch", "rise", "cross"].includes(pattern) ? 0.75 : 1);
  context.beginPath();
  switch (pattern) {
    case "none":
      break;
    case "line":
    case "dashes":
      if (pattern === "dashes") context.setLineDash([2 * pixelRatio, spacing]);
      context.moveTo(0, middle);
      context.lineTo(left + width, middle);
      break;
    case "dots":
      context.setLineDash([1.5 * pixelRatio, spacing - 1.5 * pixelRatio]);
      context.lineWidth = 1.5 * pixelRatio;
      for (let y = Math.ceil(top / spacing) * spacing; y < top + height; y += spacing) {
        context.moveTo(0, y);
        context.lineTo(left + width, y);
      }
      break;
    case "bars":
      for (let x = Math.ceil(left / spacing) * spacing; x < left + width; x += spacing) {
        context.moveTo(x + 0.5, top);
        context.lineTo(x + 0.5, top + height);
      }
      break;
    case "hatch":
    case "rise":
    case "cross": {
      const first = Math.floor((left - (top + height)) / spacing) * spacing;
      for (let offset = first; offset < left + width + top + height; offset += spacing) {
        if (pattern !== "rise") {
          context.moveTo(offset + top, top);
          context.lineTo(offset + top + height, top + height);
        }
        if (pattern === "hatch") continue;
        context.moveTo(offset - top, top);
        context.lineTo(offset - top - height, top + height);
      }
      break;
    }
    default:
      unreachable(pattern);
  }
  context.stroke();
  context.restore();
}

function clearGaps(
  context: CanvasRenderingContext2D,
  rowCount: number,
  width: number,
  rowHeight: number,
  pixelRatio: number,
): void {
  for (let row = 1; row < rowCount; row++) {
    context.clearRect(0, Math.round(row * rowHeight) - pixelRatio, width, pixelRatio);
  }
}
