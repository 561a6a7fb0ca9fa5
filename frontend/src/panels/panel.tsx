import { Component, type ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
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
      <Fence subject={title}>{children}</Fence>
    </section>
  );
}

interface FenceProps {
  /** A failure is forgotten when the subject changes. */
  readonly subject: string;
  readonly children: ComponentChildren;
}

interface FenceState {
  readonly failure: string | null;
}

/** Keeps a failure of what is inside from reaching what is around it. */
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
        <p>This part could not be drawn: {this.state.failure}</p>
        <button type="button" onClick={() => this.setState({ failure: null })}>
          Try again
        </button>
      </div>
    );
  }
}

interface AwaitProps<Value> {
  readonly loaded: Loaded<Value>;
  /** Height kept free while loading for the first time; later the last height is kept, so that nothing jumps. */
  readonly height: number;
  /** What to say when there is nothing to load. */
  readonly idle?: string;
  children(value: Value): ComponentChildren;
}

/** Shows a value that is being loaded: a placeholder, the value, or why it is not there. */
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
        {loaded.error.message}
      </p>
    );
  }
  if (!loaded.isLoading && idle !== undefined) return <p class="message">{idle}</p>;
  return <div class="skeleton" aria-hidden="true" style={{ height: `${lastHeight.current}px` }} />;
}
