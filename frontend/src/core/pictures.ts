import { formatValue } from "./format";
import type { Picture, PictureDetails } from "./types";
import { unreachable } from "./unreachable";

/** Pictures of the layer, then those that belong to no layer. */
export function offeredPictures(
  pictures: readonly Picture[],
  layer: string,
  layers: readonly string[],
): readonly Picture[] {
  const known = new Set(layers);
  return [
    ...pictures.filter(({ subject }) => subject === layer),
    ...pictures.filter(({ subject }) => !known.has(subject)),
  ];
}

/** The panel of units shows the same, with steps and names. */
const TOLD_ELSEWHERE = "units";

/** The wanted picture, else one of the same kind, else the first that no other panel shows. */
export function shownPicture(offered: readonly Picture[], wanted: string | undefined): Picture | null {
  return (
    offered.find(({ tag }) => tag === wanted) ??
    offered.find(({ kind }) => kind === kindOf(wanted)) ??
    offered.find(({ kind }) => kind !== TOLD_ELSEWHERE) ??
    offered[0] ??
    null
  );
}

const kindOf = (tag: string | undefined) => tag?.split("/")[0];

/** The range of the values, and which maps share it. */
export function rangeWords({ low, high, scale }: PictureDetails): string {
  if (low === null || high === null) return "No finite values.";
  const range = `Values from ${formatValue(low)} (darkest) to ${formatValue(high)} (lightest)`;
  switch (scale) {
    case "common":
      return `${range}, the same scale for all maps.`;
    case "each":
      return `${range}, with a separate scale per map.`;
    case "logarithmic":
      return `${range}, logarithmic scale.`;
    default:
      return unreachable(scale);
  }
}
