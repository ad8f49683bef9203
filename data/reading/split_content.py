"""Checks the content of a split: refuses an empty one, warns of unusual ones.

It needs the sizes of images and the areas of segments, and reads no pixel.
"""

from collections.abc import Sequence

import numpy as np

from panoptic import classes as classes_lib

_FEW = 3  # Classes that a warning names.
_MUCH_VOID = 0.5  # Share of a split's pixels.
_WHOLE = 0.99  # Share of an image's pixels.


def require_segments(segments: np.ndarray, of_split: str, hint: str) -> None:
  """Refuses a split in which nothing can be learnt or scored.

  Args:
    segments: As in `split_index.SplitIndex`.
    of_split: Names the split and its folder, for the message.
    hint: How to mend it.

  Raises:
    ValueError: If no segment is of a class and no crowd.
  """
  if not _kept(segments).any():
    raise ValueError(
      f'{of_split} has no segment: all its pixels are void or of crowds; {hint}'
    )


def warnings(
  split: str,
  names: Sequence[str],
  sizes: np.ndarray,
  splits: np.ndarray,
  segments: np.ndarray,
  classes: classes_lib.ClassTable,
  is_void_usual: bool = False,
) -> list[str]:
  """Lines on what is allowed in a split but often a mistake.

  Args:
    split: Its name.
    names: Of the N images or frames.
    sizes: As in `split_index.SplitIndex`, `[N, 2]`.
    splits: As there, `[N + 1]`.
    segments: As there, `[M, 4]`.
    classes: The class table.
    is_void_usual: Whether most pixels may be void.
  """
  found = []
  pixels = sizes.astype(np.int64).prod(axis=1)
  frame = np.repeat(np.arange(len(names)), np.diff(splits))
  kept = _kept(segments)
  frame, (_, categories, _, areas) = frame[kept], segments[kept].T
  void = 1 - areas.sum() / max(1, pixels.sum())
  if void > _MUCH_VOID and not is_void_usual:
    found.append(
      f'{100 * void:.0f} % of the pixels are void or of crowds, which are '
      'neither learnt nor scored: give the background a class'
    )
  present = set(np.unique(categories).tolist())
  absent = [c.name for c in classes.categories if c.id not in present]
  if absent:
    found.append(
      f'{_share(len(absent), len(classes.categories), "classes")} have no '
      f'segment, the first being {", ".join(absent[:_FEW])}'
    )
  whole = np.unique(frame[areas >= _WHOLE * pixels[frame]])
  if whole.size:
    found.append(
      f'in {_share(whole.size, len(names), "images")} one segment covers '
      f'{100 * _WHOLE:.0f} % of the pixels or more, the first being '
      f'{names[whole[0]]}: look whether the masks are whole'
    )
  return [f'warning: {split}: {line}' for line in found]


def _kept(segments: np.ndarray) -> np.ndarray:
  """Which segments are of a class and no crowds: bool `[M]`."""
  _, categories, crowd, _ = segments.T
  return (categories > 0) & (crowd == 0)


def _share(count: int, total: int, things: str) -> str:
  return f'{count} of {total} {things} ({100 * count / total:.1f} %)'
