const known = new WeakSet<HTMLDetailsElement>();

/** Closes a menu by a click elsewhere, when the focus leaves it, and by Escape. To be used as `ref`. */
export function closeOnLeaving(menu: HTMLDetailsElement | null): void {
  if (menu === null || known.has(menu)) return;
  known.add(menu);
  const close = () => {
    menu.open = false;
  };
  const page = menu.ownerDocument;
  const onPress = ({ target }: Event) => {
    if (!menu.isConnected) page.removeEventListener("pointerdown", onPress);
    else if (target instanceof Node && !menu.contains(target)) close();
  };
  page.addEventListener("pointerdown", onPress);
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !menu.contains(event.relatedTarget)) close();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    close();
    menu.querySelector("summary")?.focus();
    event.stopPropagation();
  });
}
