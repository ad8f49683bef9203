"""The tables of results that were published, row by row.

Tables 6, 7 and 8 and the deviation on DAVIS are those of the paper's appendix;
figures for COCO are as later papers report them.
"""

from typing import NamedTuple

NAMES = {'J_and_F': 'J&F', 'J_and_F_std': 'J&F, deviation'}


class Row(NamedTuple):
  """A row of a table.

  Attributes:
    cells: Describe it, one for each of the table's columns.
    scores: In percent, one for each of the table's metrics; None: not known.
    experiment: That reproduces it; '' for other methods.
    override: Fields of the experiment to change.
  """

  cells: tuple[str, ...]
  scores: tuple[float | None, ...]
  experiment: str = ''
  override: str = ''

  @property
  def key(self) -> str:
    """Its name in files: the experiment, and what is changed of it."""
    return ' '.join(filter(None, (self.experiment, self.override)))


class Table(NamedTuple):
  """A table.

  Attributes:
    title: Its number, and what is scored.
    columns: That describe the rows.
    metrics: Names as runs record them.
    rows: From top to bottom.
  """

  title: str
  columns: tuple[str, ...]
  metrics: tuple[str, ...]
  rows: tuple[Row, ...]


def _by_steps(experiment: str, cells: tuple[str, ...], scores) -> list[Row]:
  """A row for each number of steps of the sampler."""
  return [
    Row(
      (f'Pix2Seq-D (steps={steps})', *cells),
      (pq,),
      experiment,
      f'evaluation.sampler.steps={steps}',
    )
    for steps, pq in scores.items()
  ]


_RESNET = 'ResNet-50'

_COCO = Table(
  'COCO val2017',
  ('method',),
  ('PQ',),
  tuple(_by_steps('coco_panoptic', (), {5: 47.5, 20: 50.3})),
)
_CITYSCAPES = Table(
  'Table 6: Cityscapes val',
  ('method', 'backbone', 'params'),
  ('PQ',),
  (
    Row(('Mask2Former', _RESNET, '-'), (62.1,)),
    Row(('kMaX-DeepLab', _RESNET, '56M'), (64.3,)),
    Row(('Panoptic-DeepLab', 'Xception-71', '47M'), (63.0,)),
    Row(('Axial-DeepLab', 'Axial-ResNet-L', '45M'), (63.9,)),
    Row(('Axial-DeepLab', 'Axial-ResNet-XL', '173M'), (64.4,)),
    Row(('CMT-DeepLab', 'MaX-S', '-'), (64.6,)),
    Row(('Panoptic-DeepLab', 'SWideRNet-(1,1,4.5)', '536M'), (66.4,)),
    Row(('Mask2Former', 'Swin-B (W12)', '-'), (66.1,)),
    Row(('Mask2Former', 'Swin-L (W12)', '-'), (66.6,)),
    Row(('kMaX-DeepLab', 'MaX-S', '74M'), (66.4,)),
    Row(('kMaX-DeepLab', 'ConvNeXt-B', '121M'), (68.0,)),
    Row(('kMaX-DeepLab', 'ConvNeXt-L', '232M'), (68.4,)),
    *_by_steps(
      'cityscapes_panoptic',
      (_RESNET, '94.8M'),
      {10: 62.2, 20: 63.2, 40: 63.4, 80: 64.0},
    ),
  ),
)
_SIZES = Table(
  'Table 7: Cityscapes val, 100 epochs, by image and mask size',
  ('image', 'mask'),
  ('PQ',),
  (
    Row(('512x1024', '256x512'), (52.1,), 'cityscapes_ablation_512_256'),
    Row(('512x1024', '512x1024'), (53.8,), 'cityscapes_ablation_512_512'),
    Row(('1024x2048', '256x512'), (55.7,), 'cityscapes_ablation_1024_256'),
    Row(('1024x2048', '512x1024'), (59.9,), 'cityscapes_ablation_1024_512'),
  ),
)
_KITTI_STEP = Table(
  'Table 8: KITTI-STEP val',
  ('method',),
  ('STQ', 'SQ', 'AQ'),
  (
    Row(('Motion-DeepLab',), (58.0, 67.0, 51.0)),
    Row(('VPSNet',), (56.0, 61.0, 52.0)),
    Row(('TubeFormer-DeepLab-B1',), (70.0, 76.8, 63.8)),
    Row(('Pix2Seq-D',), (61.6, 61.9, 61.3), 'kitti_step'),
  ),
)
# The mean stands in a part of the paper that is not at hand.
_DAVIS = Table(
  'DAVIS 2017 unsupervised val, 50 evaluations',
  ('method',),
  ('J_and_F', 'J_and_F_std'),
  (Row(('Pix2Seq-D',), (None, 1.5), 'davis'),),
)

TABLES = (_COCO, _CITYSCAPES, _SIZES, _KITTI_STEP, _DAVIS)
EXPERIMENTS = tuple(
  dict.fromkeys(
    row.experiment for table in TABLES for row in table.rows if row.experiment
  )
)
# Whose weights each stage begins with, in this order.
STARTS = {
  'coco_panoptic': ('coco_panoptic_low_resolution',),
  'coco_panoptic_low_resolution': (
    'an encoder of Objects365',
    'coco_decoder_pretraining',
  ),
  'davis': ('coco_panoptic',),
  'kitti_step': ('coco_panoptic',),
  **{
    name: ('coco_panoptic',)
    for name in EXPERIMENTS
    if name.startswith('cityscapes_')
  },
}


def table_of(experiment: str) -> Table:
  """The table that has an experiment's rows."""
  return next(
    table
    for table in TABLES
    if any(row.experiment == experiment for row in table.rows)
  )


def commands(table: Table) -> list[str]:
  """What to type for the rows of a table: each training, then its scores.

  DIR stands for the folder of the data.

  Returns:
    Lines of a shell, of which a screen is wide enough.
  """
  lines = []
  for experiment in dict.fromkeys(row.experiment for row in table.rows):
    if not experiment:
      continue
    run = f'--model_dir=runs/{experiment} --data_dir=DIR'
    starts = ','.join(f'runs/{name}' for name in STARTS[experiment])
    lines += [
      f'python main.py --experiment={experiment} --mode=train \\',
      f'  {run} \\',
      f'  --init_checkpoint={starts}',
    ]
    for row in table.rows:
      if row.experiment == experiment:
        change = f' \\\n  --params_override={row.override}'
        change = change if row.override else ''
        lines += f'python main.py --mode=eval {run}{change}'.splitlines()
  return lines
