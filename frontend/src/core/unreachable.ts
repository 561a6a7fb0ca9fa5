/** Makes the compiler check that a switch covers every case. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value ${String(value)}`);
}
