import { useEffect, useRef } from "preact/hooks";
import { neighborFinding } from "../../core/ranking";
import type { Store } from "../../state/store";

export type KeyboardStore = Pick<
  Store,
  "allowShortcuts" | "askForFilter" | "findings" | "goToFinding" | "hasShortcuts" | "layer" | "listenForKeys"
>;

const KEYS: readonly { readonly keys: readonly string[]; readonly words: string; readonly isLetter?: true }[] = [
  { keys: ["/"], words: "Filter layers", isLetter: true },
  { keys: ["n"], words: "Next open finding", isLetter: true },
  { keys: ["p"], words: "Previous open finding", isLetter: true },
  { keys: ["?"], words: "Keyboard help", isLetter: true },
  { keys: ["\u2191", "\u2193"], words: "In the list and in charts: previous or next layer or row" },
  { keys: ["\u2190", "\u2192"], words: "In charts: previous or next step; ten steps with Shift" },
  { keys: ["Home", "End"], words: "First or last layer in the list; first or last step in charts" },
  { keys: ["+", "-", "0"], words: "In charts: zoom in, zoom out, show all steps; or drag to zoom" },
  { keys: ["Esc"], words: "In charts: return to the latest step and show all steps" },
];

/** The help button, and the keys that work anywhere on the page. */
export function KeyboardHelp({ store }: { readonly store: KeyboardStore }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const lastFinding = useRef<string | null>(null);

  useEffect(() => {
    const goToFinding = (direction: 1 | -1) => {
      const layer = store.layer.peek()?.name ?? "";
      const findings = store.findings.peek().value?.findings ?? [];
      const target = neighborFinding(findings, lastFinding.current, layer, direction);
      if (target === null) return;
      lastFinding.current = target.id;
      store.goToFinding(target);
    };
    const onKeyDown = (event: KeyboardEvent) => {
      if (!store.hasShortcuts.peek() || dialog.current?.open || isTaken(event)) return;
      switch (event.key) {
        case "/":
          store.askForFilter();
          break;
        case "n":
          goToFinding(1);
          break;
        case "p":
          goToFinding(-1);
          break;
        case "?":
          dialog.current?.showModal();
          break;
        default:
          return;
      }
      event.preventDefault();
    };
    return store.listenForKeys(onKeyDown);
  }, [store]);

  return (
    <>
      <button
        type="button"
        aria-label="Keyboard help"
        title="Keyboard help"
        onClick={() => dialog.current?.showModal()}
      >
        ?
      </button>
      <dialog ref={dialog} class="help" aria-labelledby="help-title">
        <h2 id="help-title">Keyboard</h2>
        <dl>
          {KEYS.map(({ keys, words, isLetter }) => (
            <div key={words} class={isLetter && !store.hasShortcuts.value ? "is-off" : undefined}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
        <label class="help-switch">
          <input
            type="checkbox"
            checked={store.hasShortcuts.value}
            onChange={(event) => store.allowShortcuts(event.currentTarget.checked)}
          />
          Enable single-key shortcuts
        </label>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </dialog>
    </>
  );
}

const TYPING: readonly string[] = ["input", "select", "textarea"];

/** Whether the key belongs to the focused element or to the browser. */
function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  // By name, because elements of the surrounding page are of its own classes.
  return event.composedPath().some((target) => TYPING.includes((target as Partial<Element>).localName ?? ""));
}
