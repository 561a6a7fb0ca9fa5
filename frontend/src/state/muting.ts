import { signal } from "@preact/signals";
import { postMute } from "../api";
import { type BrowserMute, type BrowserMutes, readMutes, runKey, withMuted, writeMutes } from "../core/browser_mutes";
import type { Finding, Findings, Run } from "../core/types";
import type { Host } from "../host";

const MEMORY = "mutes";

export interface Muting {
  /** Mutes of a run that this browser keeps. */
  browserMutesOf(run: Run): readonly BrowserMute[];
  /**
   * Mutes findings of a run next to it or in this browser; a note of null unmutes them.
   *
   * @param stored where the server says that they are kept.
   * @returns why it failed; "" if it did not.
   */
  mute(
    run: Run,
    stored: Findings["mutes"]["stored"],
    findings: readonly Finding[],
    note: string | null,
  ): Promise<string>;
}

export function createMuting(host: Host): Muting {
  const kept = signal<BrowserMutes>(readMutes(host.recall(MEMORY)));
  const keep = (mutes: BrowserMutes) => {
    kept.value = mutes;
    host.remember(MEMORY, writeMutes(mutes));
  };
  return {
    browserMutesOf: (run) => kept.value[runKey(run)] ?? [],
    mute: async (run, stored, findings, note) => {
      if (stored === "run") {
        try {
          await postMute(run.name, findings, note);
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      }
      const inBrowser = stored === "run" ? null : note;
      keep(withMuted(kept.peek(), runKey(run), findings, inBrowser, Date.now() / 1000));
      return "";
    },
  };
}
