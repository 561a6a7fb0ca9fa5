import { stretches } from "../core/landing";
import { healthOfCode, stateWord } from "../core/severity";

interface StripProps {
  /** One code per part of the steps. */
  readonly health: string;
  readonly firstStep: number;
  readonly lastStep: number;
}

const HEIGHT = 12;
/** Height of a state, so that color is not the only difference. */
const HEIGHTS: Readonly<Record<string, number>> = { "0": 4, "1": 6, "2": 9, "3": HEIGHT, "5": 3, "6": HEIGHT };

/** The worst state of a run over its steps. */
export function HealthStrip({ health, firstStep, lastStep }: StripProps) {
  const parts = stretches(health);
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${Math.max(1, health.length)} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={stripWords(health, firstStep, lastStep)}
    >
      {parts.map(({ from, length, code }) => {
        const height = HEIGHTS[code] ?? 0;
        return (
          height > 0 && (
            <rect key={from} class={`strip-${code}`} x={from} width={length} y={HEIGHT - height} height={height} />
          )
        );
      })}
    </svg>
  );
}

/** "Health over time: OK, then problem from step 360 on". */
function stripWords(health: string, firstStep: number, lastStep: number): string {
  const step = (column: number) => Math.round(firstStep + ((lastStep - firstStep) * column) / health.length);
  const words = stretches(health).map(({ from, code }) => {
    const state = code === "-" ? null : healthOfCode(Number(code));
    const word = state === null ? "no records" : state === "ok" ? "OK" : stateWord(state).toLowerCase();
    return from === 0 ? word : `${word} from step ${step(from)}`;
  });
  return `Health over time: ${words.length === 0 ? "no records" : words.join(", then ")}`;
}
