"""Scores a result in COCO's panoptic format, as the official tool would.

  python -m metrics.panoptic_files \
    --gt_json=annotations/panoptic_val2017.json \
    --gt_folder=annotations/panoptic_val2017 \
    --pred_json=result.json --pred_folder=result

Ground truth and result have one format, a JSON and a folder of PNGs; see
`panoptic.result_files`.
"""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import app, flags

from metrics import metric, panoptic_quality
from panoptic import classes, files, image_ids, maps, png, segment_table
from panoptic.console import command_line

_IMAGES_PER_TASK = 32  # Fixed, so that no figure depends on the workers.


class Annotation(NamedTuple):
  """An image of an annotation file: its PNG and its list of segments."""

  image_id: image_ids.ImageId
  png: pathlib.Path
  segments: Sequence[maps.Segment]

  def read(self) -> maps.PanopticMap:
    """Decodes the PNG."""
    listed = [segment.id for segment in self.segments]
    ids = png.read_ids(self.png, png.COCO, listed)
    return maps.PanopticMap(ids, self.segments)


def read_json(path: str | os.PathLike) -> dict[str, Any]:
  """Reads a panoptic JSON.

  Raises:
    FileNotFoundError: If there is no such file.
    ValueError: If it is not JSON, or not an object with a list of annotations.
  """
  if not os.path.isfile(path):
    raise FileNotFoundError(
      f'{path} is missing; give the JSON of panoptic annotations'
    )
  text = files.read_text(path)
  try:
    content = json.loads(text)
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
) -> list[classes.Category]:
  """Returns the categories of a JSON; ValueError if they are malformed."""
  try:
    return [
      classes.Category(int(c['id']), str(c['name']), bool(int(c['isthing'])))
      for c in content['categories']
    ]
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'{path} has no list "categories" with "id", "name" and "isthing"; '
      'give the ground truth of panoptic (not instance) segmentation'
    ) from error


def check_same_categories(
  categories: Sequence[classes.Category],
  content: Mapping[str, Any],
  gt_path: str | os.PathLike,
  path: str | os.PathLike,
) -> None:
  """Refuses a result whose ids mean other categories than the ground truth's.

  A result need not list categories, nor all of them.

  Args:
    categories: Of the ground truth.
    content: Of the result's JSON.
    gt_path: Of the ground truth's JSON, for the message.
    path: Of the result's JSON.

  Raises:
    ValueError: If an id has another name or isthing; names both files.
  """
  listed = content.get('categories')
  entries = listed if isinstance(listed, list) else ()
  found = {
    e['id']: e
    for e in entries
    if isinstance(e, dict) and isinstance(e.get('id'), int)
  }
  for category in categories:
    entry = found.get(category.id, {})
    for key, value in (
      ('name', category.name),
      ('isthing', int(category.isthing)),
    ):
      if entry.get(key, value) != value:
        raise ValueError(
          f'category {category.id} has the {key} {entry[key]!r} in {path}, but '
          f'{value!r} in {gt_path}: give both the same classes'
        )


def read_annotations(
  content: Mapping[str, Any],
  path: str | os.PathLike,
  folder: str | os.PathLike,
) -> dict[image_ids.ImageId, Annotation]:
  """Returns the annotations of a JSON by image id, in its order.

  Raises:
    FileNotFoundError: If the folder of PNGs is missing.
    ValueError: If there is no annotation, one is malformed, or an image has
      two.
  """
  if not os.path.isdir(folder):
    raise FileNotFoundError(f'{folder} is missing; give the folder of PNGs')
  images: dict[image_ids.ImageId, Annotation] = {}
  for number, entry in enumerate(content['annotations']):
    try:
      image_id = image_ids.parse(entry['image_id'])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        f'{path}: annotation {number} has no valid "image_id": write '
        f'{image_ids.RULE}'
      ) from error
    try:
      image = Annotation(
        image_id,
        pathlib.Path(folder, entry['file_name']),
        [maps.Segment.from_json(s) for s in entry['segments_info']],
      )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
      raise ValueError(
        f'{path}: annotation {number} lacks a valid "file_name" or '
        '"segments_info"; give every annotation the two'
      ) from error
    if image.image_id in images:
      raise ValueError(
        f'{path}: image {image.image_id} has two annotations; keep one'
      )
    images[image.image_id] = image
  spellings = image_ids.two_spellings(images)
  if spellings:
    raise ValueError(
      f'{path}: {spellings[0]!r} and {spellings[1]!r} are one image id; keep '
      'one annotation of it'
    )
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

  Predictions for images without ground truth are left out, as officially. An
  id may be a number in one of the files and a text in the other.

  Args:
    gt_json: Ground truth; its categories are the ones scored.
    gt_folder: Its PNGs.
    pred_json: The result.
    pred_folder: Its PNGs.
    workers: Threads. The figures are the same whatever their number.

  Returns:
    As `PanopticQuality.details`.

  Raises:
    FileNotFoundError: If a file or folder is missing.
    ValueError: If an image has no prediction, or the input is malformed (see
      the functions above and `PanopticQuality.update`).
  """
  if workers < 1:
    raise ValueError(f'{workers} workers cannot score; give at least one')
  gt_content, pred_content = read_json(gt_json), read_json(pred_json)
  categories = read_categories(gt_content, gt_json)
  check_same_categories(categories, pred_content, gt_json, pred_json)
  ground_truth = read_annotations(gt_content, gt_json, gt_folder)
  predictions = read_annotations(pred_content, pred_json, pred_folder)
  predicted = {str(image_id): image for image_id, image in predictions.items()}
  missing = [i for i in ground_truth if str(i) not in predicted]
  if len(missing) == len(ground_truth):
    raise ValueError(
      f'no image id of {pred_json}, such as {next(iter(predictions))!r}, is in '
      f'{gt_json}, which has ids such as {missing[0]!r}; give the results the '
      'ids of the ground truth'
    )
  if missing:
    raise ValueError(
      f'{pred_json} has no prediction for {len(missing)} of '
      f'{len(ground_truth)} images, the first being image {missing[0]}; '
      'predict every image of the ground truth'
    )
  pairs = [(gt, predicted[str(i)]) for i, gt in ground_truth.items()]
  _check_pairs(pairs, segment_table.category_positions(categories))

  def score_part(start):
    part = panoptic_quality.PanopticQuality(categories)
    for gt, pred in pairs[start : start + _IMAGES_PER_TASK]:
      part.update(gt.read(), pred.read(), name=gt.image_id)
    return part

  quality = panoptic_quality.PanopticQuality(categories)
  starts = range(0, len(pairs), _IMAGES_PER_TASK)
  return metric.score_parts(quality, score_part, starts, workers).details()


def _check_pairs(
  pairs: Sequence[tuple[Annotation, Annotation]],
  positions: Mapping[int, int],
) -> None:
  """Checks lists of segments and PNG headers, which takes no decoding."""
  for gt, pred in pairs:
    where = f'image {gt.image_id}'
    for side, image in (('ground truth', gt), ('prediction', pred)):
      segment_table.index_segments(
        image.segments, positions, f'{where}, {side}'
      )
    gt_size, pred_size = (
      png.size_of(image.png, png.COCO, annotated=True) for image in (gt, pred)
    )
    maps.check_same_size(gt_size, pred_size, where)


def format_table(result: Mapping[str, Any]) -> str:
  """Formats All, Things and Stuff as a table, in percent."""
  lines = [f'{"":8}{"PQ":>7}{"SQ":>7}{"RQ":>7}{"N":>6}']
  for group in ('All', 'Things', 'Stuff'):
    row = result[group]
    figures = ''.join(f'{100 * row[key]:7.2f}' for key in ('pq', 'sq', 'rq'))
    lines.append(f'{group:8}{figures}{row["n"]:6d}')
  return '\n'.join(lines)


_PATHS = {
  'gt_json': 'JSON of the ground truth.',
  'gt_folder': 'PNG folder of the ground truth.',
  'pred_json': 'JSON of the result.',
  'pred_folder': 'PNG folder of the result.',
}


def _define_flags() -> None:
  # Not at import: other programs that use this module have their own flags.
  for name, text in _PATHS.items():
    command_line.define_path(name, None, text, required=True)
  flags.DEFINE_integer('workers', os.cpu_count(), 'Threads.', lower_bound=1)


def _run() -> None:
  names = (*_PATHS, 'workers')
  print(format_table(score(*(flags.FLAGS[name].value for name in names))))


def main(argv: Sequence[str]) -> None:
  """Prints the table."""
  command_line.run(argv, _run, prefix='error')


if __name__ == '__main__':
  _define_flags()
  app.run(main)
