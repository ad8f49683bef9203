"""J&F of DAVIS 2017, for both of its tasks, a frame at a time.

The masks of a frame are scored by `region_boundary`. Here are the rules for
sequences, equal to the official evaluation's:

* The highest id of the first ground-truth frame is the number of objects. Of
  those, ids that never appear count; higher ids that appear later do not.
  Objects have no classes; the lists of segments are not looked at.
* Unsupervised (Caelles et al., arXiv:1905.00737): every frame counts, and void
  pixels are taken out of both masks. At most 20 proposals are assigned to the
  objects such that the sum of (J + F) / 2, averaged over the sequence, is
  greatest.
* Semi-supervised (Pont-Tuset et al., arXiv:1704.00675): object k is predicted
  as id k, the first and the last frame are left out, and void is background.
* An object's mean, recall (frames strictly above 0.5) and decay (mean of the
  first minus that of the last quarter); then means over the objects of all
  sequences. The official decay is wrong in sequences of more than 256 frames,
  where its index overflows; this one is not.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import optimize

from metrics import metric, region_boundary, sequence_tracker
from panoptic import maps

TASKS = ('unsupervised', 'semi-supervised')
_NO_PREDICTION = -1


@dataclasses.dataclass
class _Sequence:
  """The scores of a sequence: two numbers for each frame and pair of masks.

  Attributes:
    objects: The number of true objects.
    j, f: A `[proposals, objects]` table for each scored frame.
    highest: The highest predicted id so far.
    pending: Name and highest id of the last frame; semi-supervised.
  """

  objects: int
  j: list[np.ndarray] = dataclasses.field(default_factory=list)
  f: list[np.ndarray] = dataclasses.field(default_factory=list)
  highest: int = 0
  pending: tuple[str, int] | None = None


class JAndF:
  """J&F of a stream of frames. No masks are kept, only figures of each frame
  (the decay needs them, as it is not known beforehand where the quarters end).
  """

  def __init__(
    self,
    task: str,
    max_proposals: int = 20,
    max_frames: int | None = None,
  ):
    """Starts with no sequence.

    Args:
      task: 'unsupervised' or 'semi-supervised'.
      max_proposals: The highest id allowed in unsupervised predictions.
      max_frames: The most frames of a sequence; None for any number.

    Raises:
      ValueError: If there is no such task, or no proposal or frame is allowed.
    """
    if task not in TASKS or not 1 <= max_proposals < region_boundary.VOID:
      raise ValueError(
        f'task {task!r} with {max_proposals} proposals cannot be scored; give '
        f'one of {", ".join(TASKS)} and 1 to {region_boundary.VOID - 1} '
        'proposals'
      )
    self._unsupervised = task == 'unsupervised'
    self._max_proposals = max_proposals
    self._settings = {'tasks': task, 'numbers of proposals': max_proposals}
    self._tracker = sequence_tracker.SequenceTracker(max_frames)
    self._sequences: dict[str, _Sequence] = {}

  def update(
    self,
    truth: maps.PanopticMap,
    prediction: maps.PanopticMap | None,
    sequence: str = '',
    name: Any = None,
  ) -> None:
    """Adds one frame, in order; after an error nothing of it has been added.

    Args:
      truth: The objects, by their segment ids; 0 is background, and pixels of
        `void` have no ground truth.
      prediction: The same, of proposals (unsupervised) or of objects. It may
        be None in the first and the last frame of a semi-supervised sequence,
        where it is not looked at.
      sequence: The video of the frame.
      name: Names the frame in errors; by default its place in the sequence.

    Raises:
      ValueError: If a map is not integers `[h, w]` in 0..255, sizes differ,
        there are more frames than allowed, or a predicted id is too high or a
        prediction missing. As semi-supervised it is unknown which frame is
        the last one, the latter two are raised one frame later.
    """
    where = self._tracker.check(truth, prediction, sequence, name)
    true_ids = region_boundary.mask_ids(truth, f'{where}, ground truth')
    found_ids = None
    if prediction is not None:
      found_ids = region_boundary.mask_ids(prediction, f'{where}, prediction')
    elif self._unsupervised:
      raise ValueError(_missing(where))
    state = self._sequences.get(sequence)
    if state is None:
      ids = np.unique(true_ids)
      state = _Sequence(int(ids[ids < region_boundary.VOID].max(initial=0)))
    self._check_pending(state)
    if self._unsupervised or sequence in self._sequences:
      self._score(state, true_ids, found_ids, where)
    self._sequences[sequence] = state
    self._tracker.add(truth, sequence)

  def merge(self, other: 'JAndF') -> None:
    """Adds the sequences of another stream.

    Raises:
      ValueError: If the two score differently, or share a sequence.
    """
    metric.check_same_settings('J&F', self._settings, other._settings)
    self._tracker.merge(other._tracker)
    self._sequences |= other._sequences

  def result(self) -> dict[str, float]:
    """Returns J_and_F, J_Mean, J_Recall, ... in percent, and `objects`."""
    scores = {}
    for name, value in self.details()['global'].items():
      name = name.replace('J&F-Mean', 'J_and_F').replace('-', '_')
      scores[name] = value if name == 'objects' else 100 * value
    return scores

  def details(self) -> dict[str, Any]:
    """Returns the figures so far, in plain Python numbers.

    Returns:
      `global`: {J&F-Mean, J-Mean, J-Recall, J-Decay, F-Mean, F-Recall,
      F-Decay}, means over all `objects`; `per_sequence`: {sequence: the same
      over its objects}; `per_object`: {sequence_k: the same but J&F-Mean}.
      When unsupervised, k counts the assigned proposals in the order of their
      ids, as officially; `assignment` has {sequence_k: (object, proposal)}.

    Raises:
      ValueError: If there are no frames, a semi-supervised sequence has fewer
        than three, or no sequence has an object.
    """
    self._tracker.check_any()
    per_object: dict[str, Any] = {}
    per_sequence: dict[str, Any] = {}
    assignment: dict[str, tuple[int, int]] = {}
    for sequence, state in self._sequences.items():
      series, pairs = self._series(sequence, state)
      rows = {
        f'{sequence}_{k}': _statistics('J', j) | _statistics('F', f)
        for k, (j, f) in enumerate(zip(*series, strict=True), start=1)
      }
      per_object |= rows
      assignment |= dict(zip(rows, pairs, strict=True))
      if rows:
        per_sequence[sequence] = _means(list(rows.values()))
    if not per_object:
      raise ValueError(
        f'sequence {sequence} and all others have no object in their first '
        'ground-truth frame; give the masks of DAVIS, which start with objects'
      )
    return {
      'global': _means(list(per_object.values())),
      'per_sequence': per_sequence,
      'per_object': per_object,
      'assignment': assignment,
    }

  def _score(
    self,
    state: _Sequence,
    truth: np.ndarray,
    prediction: np.ndarray | None,
    where: str,
  ) -> None:
    if prediction is None:
      state.pending = where, _NO_PREDICTION
      return
    proposals = state.objects
    if self._unsupervised:
      proposals = max(proposals, self._max_proposals)
    j, f, highest = region_boundary.score_frame(
      truth, prediction, state.objects, proposals, self._unsupervised
    )
    if not self._unsupervised:
      state.pending = where, highest
    elif highest > self._max_proposals:
      raise ValueError(
        f'{where}, prediction: id {highest} is higher than the '
        f'{self._max_proposals} proposals allowed; keep at most that many '
        'and number them from 1'
      )
    state.j.append(j)
    state.f.append(f)
    state.highest = max(state.highest, highest)

  def _check_pending(self, state: _Sequence) -> None:
    """Checks the frame before, which has turned out not to be the last."""
    if state.pending is None:
      return
    where, highest = state.pending
    if highest == _NO_PREDICTION:
      raise ValueError(_missing(where))
    if highest > state.objects:
      raise ValueError(
        f'{where}, prediction: id {highest} is higher than the '
        f'{state.objects} objects of the first ground-truth frame; give each '
        'object the id that it has there'
      )

  def _series(
    self, sequence: str, state: _Sequence
  ) -> tuple[tuple[np.ndarray, np.ndarray], list[tuple[int, int]]]:
    """J and F, `[objects, frames]`, and the (object, proposal) of each row."""
    if self._unsupervised:
      # Of proposals that are empty throughout, those take part below which a
      # higher id or as many objects exist: some object is hardly ever seen.
      used, frames = max(state.highest, state.objects), len(state.j)
    else:
      used, frames = state.objects, self._tracker.frames[sequence] - 2
      if frames < 1:
        raise ValueError(
          f'sequence {sequence} has {frames + 2} frames, of which the first '
          'and the last are not scored; give at least 3'
        )
    j, f = (np.stack(t[:frames], -1)[:used] for t in (state.j, state.f))
    if self._unsupervised:
      rows = optimize.linear_sum_assignment(-(j.mean(2) + f.mean(2)) / 2)
    else:
      rows = np.arange(used), np.arange(used)
    pairs = [(int(g) + 1, int(p) + 1) for p, g in zip(*rows, strict=True)]
    return (j[rows], f[rows]), pairs


def _missing(where: str) -> str:
  return f'{where} has no prediction; predict every frame that is scored'


def _statistics(name: str, values: np.ndarray) -> dict[str, float]:
  """Mean, recall and decay of the `[frames]` values of an object."""
  # Quarters share their first and last frames, and halves round up.
  bounds = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
  first, last = values[: bounds[1] + 1], values[bounds[3] : bounds[4] + 1]
  return {
    f'{name}-Mean': float(values.mean()),
    f'{name}-Recall': float((values > 0.5).mean()),
    f'{name}-Decay': float(first.mean() - last.mean()),
  }


def _means(rows: list[dict[str, float]]) -> dict[str, Any]:
  means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
  both = (means['J-Mean'] + means['F-Mean']) / 2
  return {'J&F-Mean': both} | means | {'objects': len(rows)}
