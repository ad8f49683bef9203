"""Reports of what loading checkpoints did."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator

_MOST = 6  # Names in a message; more names are summed up.


@dataclasses.dataclass
class Report:
  """What loading a checkpoint did, by object path.

  Attributes:
    source: The checkpoint's prefix.
    loaded: Weights read as they are.
    extended: Weights read with zeros for input channels that the file lacks.
    mismatched: Weights whose shapes differ, with both shapes.
    missing: Weights that the file does not have.
    unused: Weights in the file that the model does not have.
    online: Weights whose average was asked for, but is not in the file; they
      were read as trained.
  """

  source: str
  loaded: list[str] = dataclasses.field(default_factory=list)
  extended: list[str] = dataclasses.field(default_factory=list)
  mismatched: list[str] = dataclasses.field(default_factory=list)
  missing: list[str] = dataclasses.field(default_factory=list)
  unused: list[str] = dataclasses.field(default_factory=list)
  online: list[str] = dataclasses.field(default_factory=list)

  def __str__(self) -> str:
    """A few lines; many names become counts of names that begin alike."""
    lines = [f'{self.source}: {len(self.loaded)} weights loaded']
    for title, names in self._groups():
      # All shapes are shown, since they explain the mismatch.
      most = len(names) if names is self.mismatched else _MOST
      if names:
        lines.append(f'  {len(names)} {title}: {summary(names, most)}')
    return '\n'.join(lines)

  def listing(self) -> str:
    """All names, one on each line."""
    groups = [('loaded', self.loaded), *self._groups()]
    return '\n'.join([self.source, *_listed(groups)])

  def _groups(self) -> list[tuple[str, list[str]]]:
    return [
      ('without an average in the file, read as trained', self.online),
      ('extended by zeros', self.extended),
      ('of another shape, not loaded', self.mismatched),
      ('not in the file, left as they were', self.missing),
      ('in the file, not used', self.unused),
    ]


@dataclasses.dataclass
class Reports:
  """What loading several checkpoints did.

  Attributes:
    reports: One for each checkpoint, in their order.
    never: Weights that none of them gave.
  """

  reports: list[Report]
  never: list[str]

  def __str__(self) -> str:
    """A few lines; many names become counts of names that begin alike."""
    lines = [str(report) for report in self.reports]
    if self.never:
      lines.append(f'never trained, random: {summary(self.never)}')
    return '\n'.join(lines)

  def listing(self) -> str:
    """All names, one on each line."""
    texts = [report.listing() for report in self.reports]
    texts += _listed([('never trained, random', self.never)])
    return '\n'.join(texts) + '\n'


def _listed(groups: Iterable[tuple[str, list[str]]]) -> Iterator[str]:
  for title, names in groups:
    if names:
      yield f'{len(names)} {title}:'
      yield from (f'  {name}' for name in names)


def summary(names: list[str], most: int = _MOST) -> str:
  """The names; if they are many, the counts of their first parts."""
  if len(names) <= most:
    return ', '.join(names)
  counts = collections.Counter('/'.join(n.split('/')[:2]) for n in names)
  return ', '.join(f'{part} ({n})' for part, n in sorted(counts.items()))
