import { useEffect, useRef } from "preact/hooks";
import { neighbourFinding } from "../core/ranking";
import type { Store } from "../state/store";

const KEYS: readonly { readonly keys: readonly string[]; readonly words: string; readonly isLetter?: true }[] = [
  { keys: ["/"], words: "Filter the layers", isLetter: true },
  { keys: ["n"], words: "Next open finding", isLetter: true },
  { keys: ["p"], words: "Previous open finding", isLetter: true },
  { keys: ["?"], words: "This help", isLetter: true },
  { keys: ["\u2191", "\u2193"], words: "In the list and in pictures: another layer or row" },
  { keys: ["\u2190", "\u2192"], words: "In pictures: another step; with Shift ten steps" },
  { keys: ["Home", "End"], words: "First and last layer of the list, first and last step of a picture" },
  { keys: ["+", "-", "0"], words: "In pictures: zoom in and out, all steps; dragging zooms too" },
  { keys: ["Esc"], words: "In pictures: back to the latest step and all steps" },
];

/** The button with the keys, and the keys that work anywhere on the page. */
export function KeyboardHelp({ store }: { readonly store: Store }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const lastFinding = useRef<string | null>(null);

  useEffect(() => {
    const goToFinding = (direction: 1 | -1) => {
      const layer = store.layer.peek()?.name ?? "";
      const findings = store.findings.peek().value?.findings ?? [];
      const target = neighbourFinding(findings, lastFinding.current, layer, direction);
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
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
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
          Keys of a single character work anywhere on the page
        </label>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </dialog>
    </>
  );
}

/** Whether the key belongs to what has the focus, or to the browser. */
function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  return event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
}
