import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Store } from "../../state/store";

type DockStore = Pick<Store, "cursor" | "pinStep" | "pinnedStep" | "view" | "zoom" | "zoomTo">;

/** The marked step, in view also where the header has scrolled away. */
export function StepDock({ store }: { readonly store: DockStore }) {
  const end = useRef<HTMLDivElement>(null);
  const isHeaderAway = useSignal(false);
  useEffect(() => {
    if (end.current === null) return;
    const observer = new IntersectionObserver((entries) => {
      isHeaderAway.value = entries.at(-1)?.isIntersecting === false;
    });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, []);
  return (
    <>
      <div ref={end} class="header-end" />
      {isHeaderAway.value && <Dock store={store} />}
    </>
  );
}

function Dock({ store }: { readonly store: DockStore }) {
  const cursor = store.cursor.value;
  const isZoomed = store.zoom.value !== null;
  if (cursor === null && !isZoomed) return null;
  return (
    <div class="step-dock">
      {cursor !== null && <span>{store.view.value.stepWords(cursor)}</span>}
      {store.pinnedStep.value !== null && (
        <button type="button" class="quiet" onClick={() => store.pinStep(null)}>
          Back to latest
        </button>
      )}
      {isZoomed && (
        <button type="button" class="quiet" onClick={() => store.zoomTo(null)}>
          Show all
        </button>
      )}
    </div>
  );
}
