"""The order of numbered names: `clip 2` comes before `clip 10`."""

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Other alphabets have digits that int() refuses, such as a raised 2.
_NUMBER = re.compile('([0-9]+)')


def is_number(text: str) -> bool:
  """Whether a text is nothing but ASCII digits."""
  return _NUMBER.fullmatch(text) is not None


def key(name: str) -> tuple:
  """A key to sort names by, their numbers as numbers."""
  parts = _NUMBER.split(name)
  # Texts and numbers alternate, so that like is compared with like.
  numbered = [int(part) if i % 2 else part for i, part in enumerate(parts)]
  return tuple(numbered), name


def in_order(names: Iterable[str]) -> list[str]:
  """The names, sorted by `key`."""
  return sorted(names, key=key)


class Frames(NamedTuple):
  """The order of the frames of a clip.

  Attributes:
    order: Positions in the list of names, frame by frame.
    gap: The names before and after the first gap; None: there is none, or the
      names have no numbers.
  """

  order: Sequence[int]
  gap: tuple[str, str] | None = None


def frames(names: Sequence[str], where: str) -> Frames:
  """Orders the frames of a clip by the one number in which names differ.

  Names that differ in endings alone are one. Where no name has a number, they
  are ordered as text. A clip may consist of every other frame of another one:
  a gap is where the numbers make a larger step than elsewhere.

  Args:
    names: The files' names, perhaps with folders; at least one.
    where: The folder, for messages.

  Raises:
    ValueError: If texts around the numbers differ, if names differ in two
      numbers, or if two have the same number.
  """
  stems = [os.path.splitext(name)[0] for name in names]
  parts = [_NUMBER.split(stem) for stem in stems]
  texts = [tuple(split[::2]) for split in parts]
  numbers = [tuple(map(int, split[1::2])) for split in parts]
  if not any(numbers):
    return Frames(sorted(range(len(names)), key=names.__getitem__))
  usual = max(texts, key=texts.count)
  alike = [
    row for row, text in zip(numbers, texts, strict=True) if text == usual
  ]
  columns = [len(set(column)) > 1 for column in zip(*alike, strict=True)]
  for name, text in zip(names, texts, strict=True):
    if text != usual:
      raise ValueError(
        f'{os.path.join(where, name)} is not named '
        f'{_pattern(usual, alike[0], columns)}, like other frames of the clip: '
        'rename it, or move it elsewhere'
      )
  if sum(columns) > 1:
    first, last = min(names, key=key), max(names, key=key)
    raise ValueError(
      f'the frames in {where} differ in {sum(columns)} numbers, as '
      f'{os.path.basename(first)} and {os.path.basename(last)} do, so their '
      'order is not clear: rename them so that one number counts the frames'
    )
  order = sorted(range(len(names)), key=numbers.__getitem__)
  which = columns.index(True) if any(columns) else 0
  found = [numbers[i][which] for i in order]
  steps = [after - before for before, after in itertools.pairwise(found)]
  gap = None
  for i, step in enumerate(steps):
    before, after = (stems[order[j]] for j in (i, i + 1))
    if step == 0:
      raise ValueError(
        f'two frames in {where}, {before} and {after}, have one number: rename '
        'or remove one'
      )
    if gap is None and step != min(steps):
      gap = before, after
  return Frames(order, gap)


def _pattern(
  texts: Sequence[str], numbers: Sequence[int], columns: Sequence[bool]
) -> str:
  """A name with <number> where names differ, such as cam2_<number>."""
  shown = [
    '<number>' if varies else str(number)
    for number, varies in zip(numbers, columns, strict=True)
  ]
  if shown and not any(columns):  # A single name says not what varies.
    shown[-1] = '<number>'
  middle = zip(texts, [*shown, ''], strict=True)
  return ''.join(itertools.chain.from_iterable(middle))
