import { formatCount, plural } from "../core/format";
import { indexOfStep } from "../core/scale";
import type { Picture } from "../core/types";
import type { Store } from "../state/store";
import { Await, Panel } from "./panel";

/** Feature maps and other pictures that the run wrote, of the chosen layer and of the model. */
export function Pictures({ store }: { readonly store: Store }) {
  const layer = store.layer.value?.name ?? "";
  return (
    <Panel id="pictures" title="Pictures">
      <Await loaded={store.pictures.value} height={40}>
        {(pictures) =>
          pictures.length === 0 ? (
            <p class="message">
              This run wrote no pictures. LayerHealth writes feature maps and maps of its units when it is given an
              image_freq.
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
  readonly store: Store;
  readonly pictures: readonly Picture[];
  readonly layer: string;
}

function PictureView({ store, pictures, layer }: PictureViewProps) {
  const own = pictures.filter(({ subject }) => subject === layer || subject.startsWith(`${layer}/`));
  const names = new Set(store.description.value.value?.layers.map(({ name }) => name));
  const general = pictures.filter(({ subject }) => ![...names].some((name) => isOf(subject, name)));
  const offered = [...own, ...general];
  const wanted = store.picture.value;
  const shown = offered.find(({ tag }) => tag === wanted) ?? offered.find(({ kind }) => kind === wanted) ?? offered[0];
  if (shown === undefined) {
    return (
      <p class="message">
        No picture of {layer}; the run holds {plural(pictures.length, "series", "series")} of other layers.
      </p>
    );
  }
  return (
    <>
      <label class="field">
        Picture
        <select value={shown.tag} onChange={(event) => store.choosePicture(event.currentTarget.value)}>
          {offered.map(({ tag, kind, subject }) => (
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

const isOf = (subject: string, layer: string) => subject === layer || subject.startsWith(`${layer}/`);

interface PictureProps {
  readonly store: Store;
  readonly picture: Picture;
}

function PictureAtStep({ store, picture }: PictureProps) {
  const { steps, sizes, tag, kind, subject } = picture;
  const index = indexOfStep(steps, store.cursor.value ?? Number.POSITIVE_INFINITY);
  const step = steps[index];
  const [width, height] = sizes[index] ?? [0, 0];
  if (step === undefined) return <p class="message">No picture has been recorded yet.</p>;
  return (
    <>
      <label class="field picture-step">
        <span>
          Step {formatCount(step)}, {formatCount(index + 1)} of {plural(steps.length, "picture")}
        </span>
        <input
          type="range"
          min={0}
          max={steps.length - 1}
          value={index}
          aria-label="Step of the picture"
          aria-valuetext={`step ${formatCount(step)}`}
          onInput={(event) => store.pinStep(steps[Number(event.currentTarget.value)] ?? null)}
        />
      </label>
      <div class="picture-frame">
        <img
          src={store.pictureAddress(tag, step)}
          width={width}
          height={height}
          alt={`${kind.replaceAll("_", " ")} of ${subject || "the model"} at step ${formatCount(step)}`}
        />
      </div>
      <p class="about picture-about">{picture.description || "The run says nothing more about this picture."}</p>
    </>
  );
}
