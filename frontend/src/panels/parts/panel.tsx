import { Component, type ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { sentence } from "../../core/format";
import type { Loaded } from "../../state/resource";

interface PanelProps {
  /** Unique on the page; the heading is labeled by it. */
  readonly id: string;
  readonly title: string;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A titled part of the page. An error inside it leaves the rest of the page alone. */
export function Panel({ id, title, tools, children }: PanelProps) {
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header class="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {tools !== undefined && <div class="panel-tools">{tools}</div>}
      </header>
      <Fence subject={title}>{children}</Fence>
    </section>
  );
}

interface FenceProps {
  /** A change of subject clears the failure. */
  readonly subject: string;
  readonly children: ComponentChildren;
}

interface FenceState {
  readonly failure: string | null;
}

/** Error boundary. */
export class Fence extends Component<FenceProps, FenceState> {
  override state: FenceState = { failure: null };

  static override getDerivedStateFromError(error: unknown): FenceState {
    return { failure: String(error) };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  override componentDidUpdate(previous: FenceProps): void {
    if (previous.subject !== this.props.subject && this.state.failure !== null) this.setState({ failure: null });
  }

  override render() {
    if (this.state.failure === null) return this.props.children;
    return (
      <div class="message message-error" role="alert">
        <p>Could not display this panel: {this.state.failure}</p>
        <button type="button" onClick={() => this.setState({ failure: null })}>
          Try again
        </button>
      </div>
    );
  }
}

interface AwaitProps<Value> {
  readonly loaded: Loaded<Value>;
  /** Height of the placeholder on first loading; later the last height is used, so that nothing jumps. */
  readonly height: number;
  /** Shown if there is nothing to load. */
  readonly idle?: string;
  children(value: Value): ComponentChildren;
}

/** Shows a loaded value, a placeholder while loading, or the error. */
export function Await<Value>({ loaded, height, idle, children }: AwaitProps<Value>) {
  const shown = useRef<HTMLDivElement>(null);
  const lastHeight = useRef(height);
  useLayoutEffect(() => {
    if (shown.current !== null) lastHeight.current = shown.current.offsetHeight;
  });
  if (loaded.value !== null) return <div ref={shown}>{children(loaded.value)}</div>;
  if (loaded.error !== null) {
    return (
      <p class="message message-error" role="alert">
        {sentence(loaded.error.message)}
      </p>
    );
  }
  if (!loaded.isLoading && idle !== undefined) return <p class="message">{idle}</p>;
  return <div class="skeleton" aria-hidden="true" style={{ height: `${lastHeight.current}px` }} />;
}
