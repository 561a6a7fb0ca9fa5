/**
 * Arrow keys, Home and End in a list of buttons that is a single tab stop. Moves the focus and returns the index of the
 * focused button; null for other keys.
 */
export function moveInList(event: KeyboardEvent, list: HTMLElement | null): number | null {
  const buttons = [...(list?.querySelectorAll("button") ?? [])];
  const current = buttons.indexOf(event.target as HTMLButtonElement);
  const target = targetOfKey(event.key, current, buttons.length);
  if (target === null || event.ctrlKey || event.metaKey || event.altKey) return null;
  event.preventDefault();
  buttons[target]?.focus();
  return target;
}

function targetOfKey(key: string, current: number, count: number): number | null {
  switch (key) {
    case "ArrowDown":
      return Math.min(count - 1, current + 1);
    case "ArrowUp":
      return Math.max(0, current - 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
