import { Component, type ComponentChildren } from "preact";
import type { Loaded } from "../state/resource";

interface PanelProps {
  /** Unique on the page; the heading is labelled by it. */
  readonly id: string;
  readonly title: string;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A titled part of the page. What goes wrong inside it stays inside it. */
export function Panel({ id, title, tools, children }: PanelProps) {
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header class="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {tools !== undefined && <div class="panel-tools">{tools}</div>}
      </header>
      <Fence>{children}</Fence>
    </section>
  );
}

interface FenceState {
  readonly failure: string | null;
}

class Fence extends Component<{ readonly children: ComponentChildren }, FenceState> {
  override state: FenceState = { failure: null };

  static override getDerivedStateFromError(error: unknown): FenceState {
    return { failure: String(error) };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  override render() {
    if (this.state.failure === null) return this.props.children;
    return (
      <div class="message message-error" role="alert">
        <p>This panel could not be drawn: {this.state.failure}</p>
        <button type="button" onClick={() => this.setState({ failure: null })}>
          Try again
        </button>
      </div>
    );
  }
}

interface AwaitProps<Value> {
  readonly loaded: Loaded<Value>;
  /** Height of the place kept free while loading, so that nothing jumps. */
  readonly height: number;
  /** What to say when there is nothing to load. */
  readonly idle?: string;
  children(value: Value): ComponentChildren;
}

/** Shows a value that is being loaded: a placeholder, the value, or why it is not there. */
export function Await<Value>({ loaded, height, idle, children }: AwaitProps<Value>) {
  if (loaded.value !== null) return <>{children(loaded.value)}</>;
  if (loaded.error !== null) {
    return (
      <p class="message message-error" role="alert">
        {loaded.error.message}
      </p>
    );
  }
  if (!loaded.isLoading && idle !== undefined) return <p class="message">{idle}</p>;
  return <div class="skeleton" aria-hidden="true" style={{ height: `${height}px` }} />;
}
