import { effect } from "@preact/signals";
import { render as renderInto } from "preact";
import uplotStyles from "uplot/dist/uPlot.min.css?inline";
import { PALETTES } from "./core/color";
import { connectHost } from "./host";
import { App } from "./panels/app";
import { createStore, type Store } from "./state/store";
import baseStyles from "./styles/base.css?inline";
import chartsStyles from "./styles/charts.css?inline";
import landingStyles from "./styles/landing.css?inline";
import layersStyles from "./styles/layers.css?inline";
import pageStyles from "./styles/page.css?inline";
import panelsStyles from "./styles/panels.css?inline";
import readingStyles from "./styles/reading.css?inline";
import rootCauseStyles from "./styles/root_cause.css?inline";
import statesStyles from "./styles/states.css?inline";
import thresholdsStyles from "./styles/thresholds.css?inline";

const TITLE = "Layer Health";

function adoptStyles(): void {
  document.adoptedStyleSheets = [
    uplotStyles,
    baseStyles,
    pageStyles,
    landingStyles,
    layersStyles,
    chartsStyles,
    panelsStyles,
    rootCauseStyles,
    statesStyles,
    thresholdsStyles,
    readingStyles,
  ].map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
}

function followTheme(store: Store): void {
  const root = document.documentElement;
  effect(() => {
    const theme = store.theme.value;
    root.dataset.theme = theme;
    for (const [role, color] of Object.entries(PALETTES[theme])) root.style.setProperty(`--${role}`, color);
  });
}

/** Called by TensorBoard, which ignores exceptions; so this shows them instead of a blank tab. */
export function render(): void {
  try {
    const host = connectHost();
    document.documentElement.lang = "en";
    document.title = TITLE;
    host.nameFrame(TITLE);
    adoptStyles();
    const store = createStore(host);
    followTheme(store);
    renderInto(<App store={store} />, document.body);
  } catch (error) {
    console.error(error);
    document.body.textContent = `Layer Health could not start: ${String(error)}`;
  }
}
