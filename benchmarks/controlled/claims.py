"""What the paper claims, as variants of one small experiment.

The variants of a claim differ in the named fields alone. Those that differ in
sampling alone share their training runs.
"""

from collections.abc import Mapping
from typing import NamedTuple

EXPERIMENT = 'shapes'
METRIC = 'PQ'


class Variant(NamedTuple):
  """A way to train and to sample.

  Attributes:
    name: Within the claim.
    train: Fields to change for training, as 'loss.weight_p=0'.
    evaluate: Fields to change for the evaluation, beside these.
    pretrain: Fields to change for a run, of as many steps, whose weights are
      the first; None: the first weights are random.
    x: Its place on the horizontal axis of the claim's plot.
  """

  name: str
  train: str = ''
  evaluate: str = ''
  pretrain: str | None = None
  x: float = 0.0


class Contrast(NamedTuple):
  """A statement of the paper: the sum of scores times weights is above 0.

  Attributes:
    text: The statement.
    weights: By the name of a variant.
  """

  text: str
  weights: Mapping[str, float]


class Claim(NamedTuple):
  """A claim of the paper.

  Attributes:
    name: For flags.
    says: What the paper says or does.
    variants: That are compared; none if the configuration cannot vary it.
    contrasts: What makes the claim true.
    axis: Label of the horizontal axis of its plot; '' for no plot.
    logarithmic: Whether that axis is.
  """

  name: str
  says: str
  variants: tuple[Variant, ...]
  contrasts: tuple[Contrast, ...] = ()
  axis: str = ''
  logarithmic: bool = False


def _better(one: str, other: str) -> Contrast:
  return Contrast(f'{one} above {other}', {one: 1.0, other: -1.0})


def _ddim(steps: int, td: float) -> str:
  """The paper's sampler."""
  return (
    f'evaluation.sampler.name=ddim,evaluation.sampler.steps={steps},'
    f'evaluation.sampler.td={td}'
  )


_PARAMETERIZATION = 'model.parameterization='
_CONDITIONING = 'model.conditioning='

_ALL = (
  Claim(
    'loss',
    'cross entropy is better than squared error, of x_0 or of the noise',
    (
      Variant('cross entropy'),
      Variant('x_0', f'{_PARAMETERIZATION}x'),
      Variant('eps', f'{_PARAMETERIZATION}eps'),
    ),
    (_better('cross entropy', 'x_0'), _better('cross entropy', 'eps')),
  ),
  Claim(
    'input_scaling',
    'b = 0.1 is better than 1',
    (
      Variant('b = 0.1', 'model.input_scaling=0.1'),
      Variant('b = 0.3', 'model.input_scaling=0.3'),
      Variant('b = 1'),
    ),
    (_better('b = 0.1', 'b = 1'),),
  ),
  Claim(
    'weight_p',
    'p = 0.2 is better than no weights of small instances',
    (Variant('p = 0.2'), Variant('p = 0', 'loss.weight_p=0')),
    (_better('p = 0.2', 'p = 0'),),
  ),
  Claim(
    'td',
    'an asymmetric time interval helps with few steps (DDIM, 5 steps)',
    tuple(
      Variant(f'td = {td}', evaluate=_ddim(5, td), x=td)
      for td in (0, 1, 2, 3, 5)
    ),
    (_better('td = 2', 'td = 0'),),
    axis='td',
  ),
  Claim(
    'steps',
    'PQ rises with the steps and saturates near 20 (DDIM, td = 2)',
    tuple(
      Variant(f'steps = {steps}', evaluate=_ddim(steps, 2), x=steps)
      for steps in (1, 2, 5, 10, 20, 40)
    ),
    (
      _better('steps = 20', 'steps = 5'),
      Contrast(
        'from 5 to 20 steps more is gained than from 20 to 40',
        {'steps = 20': 2.0, 'steps = 5': -1.0, 'steps = 40': -1.0},
      ),
    ),
    axis='steps of the sampler',
    logarithmic=True,
  ),
  Claim(
    'mask_size',
    'larger masks are better',
    (Variant('32x32', 'model.mask_size=[32,32]'), Variant('16x16')),
    (_better('32x32', '16x16'),),
  ),
  Claim(
    'pretraining',
    'a decoder that was trained on masks alone before is better',
    (
      Variant('pretrained decoder', pretrain='model.unconditional=true'),
      Variant('none'),
    ),
    (_better('pretrained decoder', 'none'),),
  ),
  Claim(
    'conditioning',
    'features are concatenated and attended to (no figure at hand)',
    (
      Variant('both'),
      Variant('concatenation', f'{_CONDITIONING}[concat]'),
      Variant('attention', f'{_CONDITIONING}[attention]'),
    ),
    (_better('both', 'concatenation'), _better('both', 'attention')),
  ),
  Claim(
    'instance_ids',
    'ids are drawn anew for every example, since any relabelling is as right',
    (),  # No field keeps them as they are.
  ),
)

CLAIMS = {claim.name: claim for claim in _ALL}
