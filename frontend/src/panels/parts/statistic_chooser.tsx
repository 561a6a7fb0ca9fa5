import type { Statistic } from "../../core/types";

interface ChooserProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly statistics: readonly Pick<Statistic, "id" | "title">[];
  onChoose(id: string): void;
}

export function StatisticChooser({ id, label, value, statistics, onChoose }: ChooserProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {statistics.map((each) => (
          <option key={each.id} value={each.id} selected={each.id === value}>
            {each.title}
          </option>
        ))}
      </select>
    </div>
  );
}
