import { type FailureKind, kindOf } from "../core/failures";

/** Answers for several runs by name, without runs that are gone or lack the layer. */
export type ByRun<Value> = ReadonlyMap<string, Value>;

const GONE: readonly (FailureKind | null)[] = ["unknown_run", "unknown_layer"];

/** Leaves out a run that is gone or lacks the layer; any other failure fails all. */
export async function eachRun<Value>(
  names: readonly string[],
  load: (name: string) => Promise<Value>,
): Promise<ByRun<Value>> {
  const answers = await Promise.all(
    names.map(async (name): Promise<readonly [string, Value] | null> => {
      try {
        return [name, await load(name)];
      } catch (error) {
        if (error instanceof Error && GONE.includes(kindOf(error))) return null;
        throw error;
      }
    }),
  );
  return new Map(answers.filter((answer) => answer !== null));
}
