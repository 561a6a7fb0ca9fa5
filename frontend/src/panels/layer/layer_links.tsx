import { plural } from "../../core/format";
import { baseName } from "../../core/ranking";
import type { Layer, RunDescription } from "../../core/types";
import type { Store } from "../../state/store";

export type LinkStore = Pick<Store, "chooseLayer" | "openStock" | "stockAddress">;

interface LinkProps {
  readonly store: LinkStore;
  readonly layer: Layer;
}

interface CallProps extends LinkProps {
  readonly description: RunDescription;
}

/** Choice between all calls of a shared layer and each single call. */
export function CallSites({ store, layer, description }: CallProps) {
  const base = baseName(layer);
  const sites = description.layers.filter(
    (other) => other.name === base || (other.call_site > 0 && baseName(other) === base),
  );
  if (sites.length < 2) return null;
  return (
    <p class="call-sites">
      Called {plural(sites.length - 1, "time")} per step:{" "}
      <span class="choice">
        {sites.map((site) => (
          <button
            key={site.name}
            type="button"
            aria-pressed={site.name === layer.name}
            onClick={() => store.chooseLayer(site.name)}
          >
            {site.call_site === 0 ? "all calls" : `call ${site.call_site}`}
          </button>
        ))}
      </span>
    </p>
  );
}

/** TensorBoard's own tabs that show data of a layer, with the tags that this package writes for them. */
const STOCK: readonly { readonly tab: string; readonly word: string; readonly tags: string }[] = [
  { tab: "scalars", word: "Scalars", tags: "gradient_norm" },
  { tab: "histograms", word: "Histograms", tags: "(activation|gradient)" },
  { tab: "distributions", word: "Distributions", tags: "(activation|gradient)" },
  { tab: "images", word: "Images", tags: "[^/]+" },
];

/** The same layer in TensorBoard's own tabs. */
export function StockLinks({ store, layer }: LinkProps) {
  const name = baseName(layer).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // Only trainable weights have the scalar.
  const offered = STOCK.filter(({ tab }) => tab !== "scalars" || layer.trainable);
  return (
    <p class="stock-links">
      Open in TensorBoard:{" "}
      {offered.map(({ tab, word, tags }) => (
        <a
          key={tab}
          href={store.stockAddress(tab, `^${tags}/${name}$`)}
          target="_parent"
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            store.openStock(event.currentTarget.href);
          }}
        >
          {word}
        </a>
      ))}
    </p>
  );
}
