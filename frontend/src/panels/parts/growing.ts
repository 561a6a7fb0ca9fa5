import { useEffect, useState } from "preact/hooks";

/** Rows that are rendered at once. */
const PORTION = 100;

/** How many of `total` rows to render: a long list grows in portions, so that the page answers in between. */
export function useGrowing(total: number): number {
  const [count, setCount] = useState(PORTION);
  useEffect(() => {
    if (count >= total) return;
    const timer = setTimeout(() => setCount(count + PORTION));
    return () => clearTimeout(timer);
  }, [count, total]);
  return Math.min(count, total);
}
