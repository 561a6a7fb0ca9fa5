import { Component, type ComponentChild } from "preact";

/** A component that is rendered again only when one of its properties changes, for the rows of long lists. */
export function pure<Props extends object>(render: (props: Props) => ComponentChild) {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      const keys = Object.keys(next) as (keyof Props)[];
      return keys.some((key) => !Object.is(next[key], this.props[key]));
    }

    override render() {
      return render(this.props);
    }
  };
}
