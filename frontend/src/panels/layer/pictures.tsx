import { formatCount, plural } from "../../core/format";
import { rangeWords } from "../../core/pictures";
import { nearestStep } from "../../core/scale";
import { fileName } from "../../core/table";
import type { Picture } from "../../core/types";
import type { Store } from "../../state/store";
import { MainRunNote } from "../parts/main_run_note";
import { Await, Panel } from "../parts/panel";

type PicturesStore = Pick<
  Store,
  | "choosePicture"
  | "cursor"
  | "layer"
  | "offered"
  | "pictureAddress"
  | "pictureDetails"
  | "pictures"
  | "pinStep"
  | "shownPicture"
  | "runStyles"
>;

/** Feature maps and other pictures of the chosen layer and the model. */
export function Pictures({ store }: { readonly store: PicturesStore }) {
  const layer = store.layer.value?.name ?? "";
  return (
    <Panel id="pictures" title="Pictures">
      <MainRunNote store={store} />
      <Await loaded={store.pictures.value} height={40}>
        {({ pictures }) =>
          pictures.length === 0 ? (
            <p class="message">
              This run has no pictures. Set <code>image_freq</code> in LayerHealth to record feature maps and unit maps.
            </p>
          ) : (
            <PictureView store={store} pictures={pictures} layer={layer} />
          )
        }
      </Await>
    </Panel>
  );
}

interface PictureViewProps {
  readonly store: PicturesStore;
  readonly pictures: readonly Picture[];
  readonly layer: string;
}

function PictureView({ store, pictures, layer }: PictureViewProps) {
  const shown = store.shownPicture.value;
  if (shown === null) {
    return (
      <p class="message">
        No pictures of {layer}. The run has {plural(pictures.length, "series", "series")} of other layers.
      </p>
    );
  }
  return (
    <>
      <label class="field picture-field">
        Picture
        <select value={shown.tag} onChange={(event) => store.choosePicture(event.currentTarget.value)}>
          {store.offered.value.map(({ tag, kind, subject }) => (
            <option key={tag} value={tag} selected={tag === shown.tag}>
              {kind.replaceAll("_", " ")}
              {subject === layer || subject === "" ? "" : `: ${subject}`}
            </option>
          ))}
        </select>
      </label>
      <PictureAtStep store={store} picture={shown} />
    </>
  );
}

interface PictureProps {
  readonly store: PicturesStore;
  readonly picture: Picture;
}

function PictureAtStep({ store, picture }: PictureProps) {
  const { steps, size, tag, kind, subject } = picture;
  const index = nearestStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const step = steps[index];
  if (step === undefined) return <p class="message">No pictures recorded yet.</p>;
  return (
    <>
      <div class="field picture-step">
        <span>
          Step {formatCount(step)}, {formatCount(index + 1)} of {plural(steps.length, "picture")}
        </span>
        {steps.length > 1 && (
          <input
            type="range"
            min={0}
            max={steps.length - 1}
            value={index}
            aria-label="Step of the picture"
            aria-valuetext={`step ${formatCount(step)}`}
            onInput={(event) => store.pinStep(steps[Number(event.currentTarget.value)] ?? null)}
          />
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached with the keyboard */}
      <section class="picture-frame" tabIndex={0} aria-label="Picture">
        <img
          src={store.pictureAddress(tag, step)}
          width={size[0] || undefined}
          height={size[1] || undefined}
          alt={`${kind.replaceAll("_", " ")} of ${subject || "the model"} at step ${formatCount(step)}`}
        />
      </section>
      <PictureWords store={store} picture={picture} />
      <p class="table-foot">
        <a
          class="button"
          href={store.pictureAddress(tag, step)}
          download={fileName("png", kind, subject, `step-${step}`)}
        >
          Download PNG
        </a>
      </p>
    </>
  );
}

/** Describes the values of this picture; else the description of the series. */
function PictureWords({ store, picture }: PictureProps) {
  const { value: details, isLoading } = store.pictureDetails.value;
  if (details === null && isLoading) return <p class="about picture-about">…</p>;
  return (
    <p class="about picture-about">
      {details === null
        ? picture.description || "The file does not describe the values in this picture."
        : `${rangeWords(details)} ${details.about}`}
    </p>
  );
}
