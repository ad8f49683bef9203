"""A user's own images or videos, in the format of COCO panoptic.

    <dir>/<split>/*.jpg
    <dir>/annotations/panoptic_<split>.json
    <dir>/annotations/panoptic_<split>/*.png

A PNG holds a segment's id at each of its pixels, R + 256 G + 65536 B; the JSON
file holds the segments' categories.

Videos are a set in which every image has a `sequence`, the video's name, and a
`frame`, its number there. A segment that has the same id in several frames of
a video is the same thing. https://cocodataset.org/#format-data
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from data.datasets import coco_json
from data.reading import paths, samples, spec
from panoptic import files, maps, png


def annotation(folder: str, split: str) -> str:
  """The path of the JSON file.

  Raises:
    FileNotFoundError: If it, or a folder that belongs to it, is missing.
    PermissionError: If one may not be read.
  """
  name = os.path.join('annotations', f'panoptic_{split}')
  labels, path = (os.path.join(folder, n) for n in (name, f'{name}.json'))

  def is_root(place):
    return files.exists(os.path.join(place, f'{name}.json'))

  for needed in (folder, path, os.path.join(folder, split), labels):
    of_instances = instances_nearby(folder, split) if needed == path else ''
    paths.require(
      needed,
      'data.dir and the split must point at COCO panoptic as it is downloaded, '
      'with the PNG files unpacked'
      + (of_instances or paths.nearby(folder, is_root)),
    )
  return path


def instances_nearby(folder: str, split: str = '') -> str:
  """Says how to convert COCO's instances that lie in a folder, else ''.

  Args:
    folder: The root of a data set.
    split: The one that is looked for; '': any.
  """
  found: dict[str, str] = {}
  for name in paths.folders(folder) if files.is_folder(folder) else ():
    place = os.path.join(folder, name)
    exported = os.path.join(place, '_annotations.coco.json')
    if name == 'annotations':
      for file in paths.listing(place):
        if file.startswith('instances_') and file.endswith('.json'):
          of_split = file.removeprefix('instances_').removesuffix('.json')
          found[of_split] = os.path.join(place, file)
    elif files.exists(exported):
      found.setdefault(name, exported)
  for of_split, path in found.items():
    if split in ('', of_split):
      return (
        f"; {path} is in COCO's format of instances: convert it by "
        + coco_json.conversion(path, folder, of_split)
      )
  return ''


def splits(folder: str) -> list[str]:
  """The splits that a folder has annotations of, sorted."""
  if not paths.has_folders(folder, ('annotations',)):
    return []
  return [
    name.removeprefix('panoptic_').removesuffix('.json')
    for name in paths.listing(os.path.join(folder, 'annotations'))
    if name.startswith('panoptic_') and name.endswith('.json')
  ]


def list_split(folder: str, split: str) -> samples.Listing:
  """Reads the JSON file; its files may be missing.

  The samples are the images that have an annotation, by ascending image id,
  or, for videos, by the sequence's name and the frame's number.

  Raises:
    FileNotFoundError: If a folder is missing.
    PermissionError: If one may not be read.
    ValueError: If the JSON file lacks something or contradicts itself.
  """
  path = annotation(folder, split)
  content = coco_json.read_json(path)
  try:
    classes = coco_json.class_table(content['categories'])
    listed = [
      samples.Sample(
        name=labels['file_name'],
        image=os.path.join(folder, split, image['file_name']),
        labels=os.path.join(path[: -len('.json')], labels['file_name']),
        image_id=image['id'],
        sequence=coco_json.sequence_of(image),
        frame=coco_json.frame_of(image),
        size=(image['height'], image['width']),
        segments=_segments(labels),
      )
      for image, labels in coco_json.match(content)
    ]
    _check_sequences(listed)
    classes.to_contiguous(
      [s.category_id for sample in listed for s in sample.segments or ()]
    )
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from error
  return samples.Listing(listed, classes)


def _segments(entry: Mapping[str, Any]) -> tuple[maps.Segment, ...]:
  """The segments of an annotation, whose ids must differ."""
  segments = tuple(map(maps.Segment.from_json, entry['segments_info']))
  if len({segment.id for segment in segments}) < len(segments):
    raise ValueError(
      f'the segment ids of image {entry["image_id"]} must differ from each '
      'other'
    )
  return segments


def _check_sequences(listed: Sequence[samples.Sample]) -> None:
  """All samples must be frames, numbered without gaps, or none."""
  if not any(sample.sequence for sample in listed):
    return
  for sample in listed:
    if not sample.sequence:
      raise ValueError(
        f'image {sample.image_id} has no sequence, but others have: give it '
        'one, or keep images and videos in two sets'
      )
  for before, sample in itertools.pairwise(listed):
    gap = sample.frame - before.frame
    if sample.sequence == before.sequence and gap != 1:
      problem = 'stands twice' if gap == 0 else 'is missing'
      raise ValueError(
        f'frame {before.frame + min(gap, 1)} of sequence {sample.sequence} '
        f'{problem}: number the frames without gaps, or make two sequences of '
        'it'
      )


TREE = spec.Tree(
  layout="annotations/panoptic_<split>.json and the other folders of COCO's "
  'format',
  is_root=lambda folder: bool(splits(folder)),
  splits=splits,
  list_split=list_split,
  annotation=annotation,
  nearby=instances_nearby,
)

SPEC = spec.FileSpec(
  name='panoptic_folder',
  result_writer=spec.coco_results,
  encoding=png.COCO,
  tree=TREE,
  records=spec.Records(
    'panoptic_folder',
    about={'description': 'Images or videos in the format of COCO panoptic.'},
  ),
)
