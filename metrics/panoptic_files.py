"""The official COCO panoptic format: writing, reading and scoring files.

A result is a folder of PNGs and a JSON:

  {"annotations": [{"image_id", "file_name", "segments_info": [
      {"id", "category_id", "area", "bbox", "iscrowd"}, ...]}, ...],
   "categories": [{"id", "name", "isthing"}, ...]}

The PNGs are those of `metrics.png_maps`, and id 0 is void
(https://cocodataset.org/#format-results, panoptic segmentation). Ground truth
has the same format.

Scores a result against ground truth:

  python -m metrics.panoptic_files \
    --gt_json=annotations/panoptic_val2017.json \
    --gt_folder=annotations/panoptic_val2017 \
    --pred_json=result.json --pred_folder=result
"""

import contextlib
import json
import os
import pathlib
from concurrent import futures
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np
from absl import app, flags

from metrics import panoptic_quality, png_maps
from panoptic import command_line

_IMAGES_PER_TASK = 32  # Fixed, so that no figure depends on the workers.


class Annotation(NamedTuple):
  """An image of an annotation file: its PNG and its list of segments."""

  image_id: int
  png: pathlib.Path
  segments: Sequence[Mapping[str, Any]]


class ResultWriter:
  """Writes a result, one image at a time.

  Use it as a context manager: leaving the block writes the JSON; leaving it
  by an exception does not, and an earlier JSON of that name stays. Segments go
  to a temporary file as they come, so that a result of any length needs no
  memory.
  """

  def __init__(
    self,
    folder: str | os.PathLike,
    json_path: str | os.PathLike,
    categories: Sequence[Any],
  ):
    """Makes the folders.

    Args:
      folder: where the PNGs go.
      json_path: the JSON, written at the end.
      categories: objects with `id`, `name` and `isthing`.

    Raises:
      ValueError: no categories, or one id twice.
    """
    self._positions = panoptic_quality.category_positions(categories)
    self._categories = [
      {'id': int(c.id), 'name': str(c.name), 'isthing': int(c.isthing)}
      for c in categories
    ]
    self._folder = pathlib.Path(folder)
    self._json = pathlib.Path(json_path)
    self._image_ids, self._file_names = set(), set()
    self._folder.mkdir(parents=True, exist_ok=True)
    self._json.parent.mkdir(parents=True, exist_ok=True)
    self._temporary = self._json.with_name(self._json.name + '.tmp')
    self._file = self._temporary.open('w', encoding='utf-8')
    self._file.write('{"annotations": [')
    self._done = False

  def add(
    self,
    image_id: int,
    file_name: str,
    segment_ids: np.ndarray,
    segments: Sequence[Mapping[str, Any]],
  ) -> None:
    """Writes the PNG of one image, and its segments for the JSON.

    Args:
      image_id: of the data set.
      file_name: name of the PNG in the folder, perhaps with folders of its
        own, as those of videos have.
      segment_ids: [h, w] integers, 0 is void.
      segments: mappings with `id`, `category_id` and perhaps `iscrowd`; area
        and bounding box are measured here.

    Raises:
      ValueError: the writer is closed, an image or a name comes twice, the name
        is not that of a PNG, or map and segments disagree (see
        `PanopticQuality.update`).
    """
    where = f'image {image_id}'
    if self._file.closed:
      raise ValueError(
        f'{where} comes after {self._json} was closed; add all images before'
      )
    if image_id in self._image_ids or file_name in self._file_names:
      raise ValueError(
        f'{where} ({file_name}): that id or file name has already been '
        'written; add each image once'
      )
    parts = pathlib.PurePosixPath(file_name).parts
    if not file_name.endswith('.png') or {'/', '..'} & set(parts):
      raise ValueError(
        f'{where}: {file_name!r} is not the name of a PNG in the folder; give '
        'a name such as 000000000139.png or clip/000001.png'
      )
    info = _measure(segment_ids, segments, self._positions, where)
    path = self._folder / file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    png_maps.write_png(path, segment_ids)
    annotation = {
      'image_id': int(image_id),
      'file_name': file_name,
      'segments_info': info,
    }
    separator = ', ' if self._image_ids else ''
    self._file.write(separator + json.dumps(annotation))
    self._image_ids.add(image_id)
    self._file_names.add(file_name)

  def close(self) -> None:
    """Ends the JSON, which has its name from then on; once."""
    if self._done:
      return
    with self._file:
      self._file.write(f'], "categories": {json.dumps(self._categories)}}}')
    os.replace(self._temporary, self._json)
    self._done = True

  def __enter__(self) -> 'ResultWriter':
    return self

  def __exit__(self, error_type, error, traceback) -> None:
    if error_type is None:
      self.close()
    else:
      # What is still to be written may not fit on a full disk.
      with contextlib.suppress(OSError):
        self._file.close()
      self._temporary.unlink(missing_ok=True)


def _measure(
  segment_ids: np.ndarray,
  segments: Sequence[Mapping[str, Any]],
  positions: Mapping[int, int],
  where: str,
) -> list[dict[str, Any]]:
  """Returns segments_info, with area and bbox [x, y, width, height]."""
  panoptic_quality.check_map(segment_ids, where)
  table = panoptic_quality.index_segments(segments, positions, where)
  runs = panoptic_quality.find_runs(segment_ids)
  rows = panoptic_quality.rows_of(
    segment_ids.ravel()[runs.start], table.ids, where
  )
  area = np.bincount(rows, runs.length, len(table.ids)).astype(np.int64)
  panoptic_quality.check_all_present(table.ids, area, where)
  y, x = np.divmod(runs.start, segment_ids.shape[1])
  low = np.full([2, len(area)], max(segment_ids.shape))
  high = np.zeros([2, len(area)], np.int64)
  np.minimum.at(low, (slice(None), rows), [x, y])
  np.maximum.at(high, (slice(None), rows), [x + runs.length, y + 1])
  boxes = np.concatenate([low, high - low]).T
  return [
    {
      'id': int(segment['id']),
      'category_id': int(segment['category_id']),
      'area': int(area[row]),
      'bbox': boxes[row].tolist(),
      'iscrowd': int(segment.get('iscrowd', 0)),
    }
    for row, segment in enumerate(segments, start=1)
  ]


def read_json(path: str | os.PathLike) -> dict[str, Any]:
  """Reads a panoptic JSON.

  Raises:
    FileNotFoundError: there is no such file.
    ValueError: it is not JSON, or not an object with a list of annotations.
  """
  if not os.path.isfile(path):
    raise FileNotFoundError(
      f'{path} is missing; give the JSON of panoptic annotations'
    )
  try:
    content = json.loads(pathlib.Path(path).read_bytes())
  except ValueError as error:
    raise ValueError(
      f'{path} is not JSON ({error}); give a panoptic JSON'
    ) from error
  if not isinstance(content, dict) or not isinstance(
    content.get('annotations'), list
  ):
    raise ValueError(
      f'{path} has no list "annotations"; give a panoptic JSON, an object '
      'with that list'
    )
  return content


def read_categories(
  content: Mapping[str, Any], path: str | os.PathLike
) -> list[panoptic_quality.Category]:
  """Returns the categories of a JSON; ValueError if they are malformed."""
  try:
    return [
      panoptic_quality.Category(
        int(c['id']), str(c['name']), bool(int(c['isthing']))
      )
      for c in content['categories']
    ]
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'{path} has no list "categories" with "id", "name" and "isthing"; '
      'give the ground truth of panoptic (not instance) segmentation'
    ) from error


def read_annotations(
  content: Mapping[str, Any],
  path: str | os.PathLike,
  folder: str | os.PathLike,
) -> dict[int, Annotation]:
  """Returns the annotations of a JSON by image id, in its order.

  Raises:
    FileNotFoundError: the folder of PNGs is missing.
    ValueError: there is no annotation, one is malformed, or an image has two.
  """
  if not os.path.isdir(folder):
    raise FileNotFoundError(f'{folder} is missing; give the folder of PNGs')
  images = {}
  for number, entry in enumerate(content['annotations']):
    try:
      image = Annotation(
        int(entry['image_id']),
        pathlib.Path(folder, entry['file_name']),
        list(entry['segments_info']),
      )
    except (KeyError, TypeError, ValueError) as error:
      raise ValueError(
        f'{path}: annotation {number} lacks a valid "image_id", "file_name" '
        'or "segments_info"; give every annotation the three'
      ) from error
    if image.image_id in images:
      raise ValueError(
        f'{path}: image {image.image_id} has two annotations; keep one'
      )
    images[image.image_id] = image
  if not images:
    raise ValueError(f'{path} has no annotations; give at least one')
  return images


def score(
  gt_json: str | os.PathLike,
  gt_folder: str | os.PathLike,
  pred_json: str | os.PathLike,
  pred_folder: str | os.PathLike,
  workers: int = 1,
) -> dict[str, Any]:
  """Scores a result. All JSON and PNG headers are checked before any decoding.

  Predictions for images without ground truth are left out, as officially.

  Args:
    gt_json: ground truth; its categories are the ones scored.
    gt_folder: its PNGs.
    pred_json: the result.
    pred_folder: its PNGs.
    workers: threads (decoding runs outside the interpreter's lock). The
      figures are the same whatever their number.

  Returns:
    As `PanopticQuality.result`.

  Raises:
    FileNotFoundError: a file or folder is missing.
    ValueError: an image has no prediction, or the input is malformed (see the
      functions above and `PanopticQuality.update`).
  """
  if workers < 1:
    raise ValueError(f'{workers} workers cannot score; give at least one')
  gt_content, pred_content = read_json(gt_json), read_json(pred_json)
  categories = read_categories(gt_content, gt_json)
  ground_truth = read_annotations(gt_content, gt_json, gt_folder)
  predictions = read_annotations(pred_content, pred_json, pred_folder)
  missing = [i for i in ground_truth if i not in predictions]
  if missing:
    raise ValueError(
      f'{pred_json} has no prediction for {len(missing)} of '
      f'{len(ground_truth)} images, the first being image {missing[0]}; '
      'predict every image of the ground truth'
    )
  pairs = [(gt, predictions[i]) for i, gt in ground_truth.items()]
  _check_pairs(pairs, panoptic_quality.category_positions(categories))

  def score_part(start):
    part = panoptic_quality.PanopticQuality(categories)
    for gt, pred in pairs[start : start + _IMAGES_PER_TASK]:
      part.update(
        panoptic_quality.PanopticMap(png_maps.read_png(gt.png), gt.segments),
        panoptic_quality.PanopticMap(
          png_maps.read_png(pred.png), pred.segments
        ),
        gt.image_id,
      )
    return part

  quality = panoptic_quality.PanopticQuality(categories)
  with futures.ThreadPoolExecutor(workers) as pool:
    starts = range(0, len(pairs), _IMAGES_PER_TASK)
    try:
      for part in pool.map(score_part, starts):
        quality.merge(part)
    except Exception:
      pool.shutdown(cancel_futures=True)  # Report now, not at the end.
      raise
  return quality.result()


def _check_pairs(
  pairs: Sequence[tuple[Annotation, Annotation]],
  positions: Mapping[int, int],
) -> None:
  """Checks lists of segments and PNG headers, which takes no decoding."""
  for gt, pred in pairs:
    where = f'image {gt.image_id}'
    for side, image in (('ground truth', gt), ('prediction', pred)):
      panoptic_quality.index_segments(
        image.segments, positions, f'{where}, {side}'
      )
    gt_shape, pred_shape = (
      png_maps.png_shape(gt.png),
      png_maps.png_shape(pred.png),
    )
    if gt_shape != pred_shape:
      raise ValueError(
        f'{where}: the ground truth is {list(gt_shape)} and the prediction '
        f'{list(pred_shape)} pixels; resize the prediction to the ground truth'
      )


def format_table(result: Mapping[str, Any]) -> str:
  """Formats All, Things and Stuff as a table, in percent."""
  lines = [f'{"":8}{"PQ":>7}{"SQ":>7}{"RQ":>7}{"N":>6}']
  for group in ('All', 'Things', 'Stuff'):
    row = result[group]
    figures = ''.join(f'{100 * row[key]:7.2f}' for key in ('pq', 'sq', 'rq'))
    lines.append(f'{group:8}{figures}{row["n"]:6d}')
  return '\n'.join(lines)


def _define_flags() -> None:
  # Not at import: other programs that use this module have their own flags.
  for side, what in (('gt', 'ground truth'), ('pred', 'result')):
    flags.DEFINE_string(f'{side}_json', None, f'JSON of the {what}.')
    flags.DEFINE_string(f'{side}_folder', None, f'PNG folder of the {what}.')
  flags.DEFINE_integer('workers', os.cpu_count(), 'Threads.', lower_bound=1)
  flags.mark_flags_as_required(
    ['gt_json', 'gt_folder', 'pred_json', 'pred_folder']
  )


def _run() -> None:
  values = flags.FLAGS
  result = score(
    values.gt_json,
    values.gt_folder,
    values.pred_json,
    values.pred_folder,
    values.workers,
  )
  print(format_table(result))


def main(argv: Sequence[str]) -> None:
  """Prints the table."""
  command_line.run(argv, _run, prefix='error')


if __name__ == '__main__':
  _define_flags()
  app.run(main)
