import type { ComponentChildren } from "preact";

interface FullStateProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly isAlert?: boolean;
}

/** Replaces the panels when there is nothing to show in them. */
export function FullState({ title, children, isAlert = false }: FullStateProps) {
  return (
    <div class="full-state" role={isAlert ? "alert" : undefined}>
      <h1>{title}</h1>
      {children}
    </div>
  );
}

/** Why the runs or one run cannot be shown. */
export function FailureState({
  title,
  reason,
  onRetry,
}: {
  readonly title: string;
  readonly reason: string;
  onRetry(): void;
}) {
  return (
    <FullState title={title} isAlert={true}>
      <p>{reason}</p>
      <button type="button" onClick={onRetry}>
        Retry
      </button>
    </FullState>
  );
}
