import { formatValue } from "./format";
import { unreachable } from "./severity";
import type { Picture, PictureDetails } from "./types";

/** Pictures of a layer, then those of no layer at all. */
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

/** The picture of the wanted kind, or else the first. */
export function shownPicture(offered: readonly Picture[], wanted: string | undefined): Picture | null {
  return (
    offered.find(({ tag }) => tag === wanted) ??
    offered.find(({ kind }) => kind === kindOf(wanted)) ??
    offered[0] ??
    null
  );
}

const kindOf = (tag: string | undefined) => tag?.split("/")[0];

/** "From -1.2 to 3.5", with what the range holds for. */
export function rangeWords({ low, high, scale }: PictureDetails): string {
  if (low === null || high === null) return "No finite value.";
  const range = `Values from ${formatValue(low)} (darkest) to ${formatValue(high)} (lightest)`;
  switch (scale) {
    case "common":
      return `${range}, one scale for all maps.`;
    case "each":
      return `${range}, each map on a scale of its own.`;
    case "logarithmic":
      return `${range}, logarithmic.`;
    default:
      return unreachable(scale);
  }
}
