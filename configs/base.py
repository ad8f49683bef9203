"""The typed configuration of an experiment.

One `Experiment` holds all settings of a run. Experiments are registered by name
with `exp_factory` in the other modules of this package, and any field may be
overridden from the command line (`--params_override`) or from a YAML file
(`--config_file`).
"""

import dataclasses
from typing import Annotated, Optional, Tuple

from configs.section import Section
from configs.type_checks import (
  Bound,
  Conversion,
  at_least,
  at_most,
  between,
  lengths,
)
from panoptic import files

_LARGEST = 2**31 - 1  # TensorFlow's int32.

# Types with bounds, which `type_checks` checks. No value within them makes a
# network or a sampler that takes minutes to build.
Count = Annotated[int, at_least(1), at_most(_LARGEST)]
CountOrZero = Annotated[int, at_least(0), at_most(_LARGEST)]
Seed = Annotated[int, between(0, _LARGEST)]
Side = Annotated[int, at_least(1), at_most(8192)]  # Pixels.
Channels = Annotated[int, at_least(1), at_most(8192)]
Layers = Annotated[int, between(0, 64)]
Values = Annotated[int, between(1, 2**16)]  # As many as 16 bits code.
Steps = Annotated[int, at_least(1), at_most(10_000)]  # Of a sampler.
BatchSize = Annotated[int, at_least(1), at_most(2**16)]
# Smaller ones are 0 as float32.
NotNegative = Annotated[float, at_least(0), at_most(1e12)]
Positive = Annotated[
  float, Bound('above 0', lambda x: x > 0), at_least(1e-30), at_most(1e12)
]
Share = Annotated[float, between(0, 1)]
Rate = Annotated[float, Bound('at least 0 and below 1', lambda x: 0 <= x < 1)]
Limit = Optional[
  Annotated[
    int,
    Bound('at least 1, or null for all', lambda x: x >= 1),
    at_most(_LARGEST),
  ]
]
PastFrames = Annotated[
  Tuple[Annotated[int, between(-1000, _LARGEST)], ...],
  Bound(
    'negative numbers, the oldest frame first',
    lambda x: list(x) == sorted(set(x)) and all(offset < 0 for offset in x),
  ),
]
Scale = Annotated[float, between(0.01, 100)]
ScaleRange = Annotated[
  Tuple[Scale, Scale],
  Bound('two positive numbers, the smaller first', lambda x: x[0] <= x[1]),
]
# The home folder stands for a leading `~`.
Path = Annotated[str, Conversion(files.expand_home)]


@dataclasses.dataclass
class ResNet(Section):
  """The convolutional part of the image encoder."""

  # 10, 18, 34: basic blocks. 50 to 200: bottlenecks.
  depth: Annotated[int, between(1, 1000)] = 50
  variant: str = 'c4'  # 'c4': three stages, stride 16. 'standard': stride 32.
  # At 1 the stem has 64 channels.
  width_multiplier: Annotated[float, between(1 / 64, 16)] = 1.0


@dataclasses.dataclass
class ImageEncoder(Section):
  """ResNet, transformer and pyramid merge; the defaults are `resnet-c`."""

  resnet: ResNet = dataclasses.field(default_factory=ResNet)
  dim: Channels = 512
  num_layers: Layers = 12
  num_heads: Channels = 16
  mlp_dim: Annotated[int, between(1, 32_768)] = 2048
  drop_path: Rate = 0.1
  drop_units: Rate = 0.1
  drop_attention: Rate = 0.0
  feature_dim: Channels = 256  # Channels of the merged pyramid, at mask size.


@dataclasses.dataclass
class MaskDecoder(Section):
  """The TransUNet denoiser."""

  dim: Channels = 128
  channel_multipliers: Annotated[
    Tuple[Annotated[int, between(1, 64)], ...], lengths(1, 10)
  ] = (1, 1, 2, 2)
  blocks_per_level: Annotated[int, between(0, 8)] = 1
  conv_in_kernel: Annotated[int, between(1, 31)] = 1
  transformer_dim: Channels = 512
  transformer_layers: Layers = 6
  head_dim: Channels = 64
  dropout: Rate = 0.0
  # Not stated in the paper.
  time_scaling: Annotated[float, between(1e-3, 1e9)] = 1e4
  # A block of stride x stride pixels of the mask is one pixel of the network.
  stride: Annotated[int, between(1, 8)] = 1


@dataclasses.dataclass
class Schedule(Section):
  """gamma(t), the share of signal at time t.

  `paper` is Algorithm 4's. `cosine` and `sigmoid` are the start/end/tau
  families and `linear` the line of arXiv 2301.10972.
  """

  name: str = 'paper'
  start: Annotated[float, between(-100, 100)] = 0.0
  end: Annotated[float, between(-100, 100)] = 1.0
  tau: Annotated[float, between(0.01, 100)] = 1.0


@dataclasses.dataclass
class Model(Section):
  """The network and its diffusion."""

  image_size: Tuple[Side, Side] = (256, 256)
  mask_size: Tuple[Side, Side] = (128, 128)
  num_classes: Values = 134  # Void (0) included.
  max_instances: Values = 101  # K: ids are 1..K-1; 0 is void.
  # Per channel of the panoptic map.
  bits: Annotated[int, at_least(1), at_most(16)] = 8
  input_scaling: Positive = 0.1  # b
  # How the image reaches the decoder: 'concat', 'attention' or both.
  conditioning: Tuple[str, ...] = ('concat', 'attention')
  # Decoder pretraining: image features are zeros and there is no encoder.
  unconditional: bool = False
  # What the decoder predicts, which decides the training loss: 'softmax' (cross
  # entropy on integers), 'sigmoid' (cross entropy on bits), 'x', 'eps' or 'v'
  # (squared errors).
  parameterization: str = 'softmax'
  # Earlier frames with given masks: 2 for video.
  past_masks: Annotated[int, at_least(0), at_most(64)] = 0
  # The decoder is also given an estimate of x_0: in sampling, that of the step
  # before (arXiv 2208.04202).
  self_conditioning: bool = False
  # The decoder takes x_t over its standard deviation (arXiv 2301.10972).
  normalize_x_t: bool = False
  encoder: ImageEncoder = dataclasses.field(default_factory=ImageEncoder)
  decoder: MaskDecoder = dataclasses.field(default_factory=MaskDecoder)


@dataclasses.dataclass
class Loss(Section):
  """Algorithm 1."""

  weight_p: NotNegative = 0.2  # Exponent of the instance-size weight; 0: none.
  # Share of the examples with an estimate, under `model.self_conditioning`.
  self_conditioning_rate: Share = 0.5
  # Times and noises drawn for each example, whose image is encoded once.
  noise_draws: Annotated[int, between(1, 256)] = 1
  schedule: Schedule = dataclasses.field(default_factory=Schedule)


@dataclasses.dataclass
class Sampler(Section):
  """Algorithm 2."""

  name: str = 'ddim'  # 'ddim', 'ddpm_large', 'ddpm_small' or 'dpm_solver'.
  steps: Steps = 20
  # Asymmetric time interval.
  td: Annotated[float, at_least(0), at_most(10_000)] = 0.0
  schedule: Schedule = dataclasses.field(default_factory=Schedule)


@dataclasses.dataclass
class Shapes(Section):
  """The procedural scenes: their difficulty, number and seed."""

  size: Annotated[int, between(16, 4096)] = 64  # Pixels, height and width.
  # At most, per scene; at least one.
  stuff_regions: Annotated[int, between(1, 100)] = 2
  stuff_classes: Annotated[int, between(1, 100)] = 3
  thing_classes: Annotated[int, between(1, 100)] = 3
  min_objects: Annotated[int, between(0, 200)] = 1
  max_objects: Annotated[int, between(1, 200)] = 4
  min_radius: Annotated[float, between(0.02, 0.5)] = 0.14  # A share of `size`.
  max_radius: Annotated[float, between(0.02, 0.5)] = 0.28
  texture: Share = 0.15  # Amplitude of the patterns, in [0, 1] intensity.
  noise: Share = 0.05  # Standard deviation of the pixel noise.
  train_examples: Count = 1_000_000  # Scenes are made when they are read.
  eval_examples: Count = 256
  seed: Seed = 0  # Apart from the training's, so that runs share their scenes.


@dataclasses.dataclass
class MovingShapes(Shapes):
  """The procedural videos; an example is a video."""

  frames: Annotated[int, between(1, 1_000_000)] = 16  # Of a video.
  min_speed: Share = 0.02  # Of an object, as a share of `size` a frame.
  max_speed: Share = 0.08
  # Turns a frame, either way round.
  max_spin: Annotated[float, between(0, 0.5)] = 0.02
  # Videos, of which there is a table.
  train_examples: Annotated[int, between(1, 1_000_000)] = 100_000
  eval_examples: Annotated[int, between(1, 1_000_000)] = 32


@dataclasses.dataclass
class Augmentation(Section):
  """Training transforms."""

  scale_jitter: ScaleRange = (1.0, 1.0)
  flip: bool = True
  color_jitter: Annotated[float, between(0, 10)] = 0.0  # Strength; 0: off.
  past_mask_dropout: Share = 0.2  # Share of past masks that become void.


@dataclasses.dataclass
class Data(Section):
  """Where the examples come from."""

  # 'shapes', 'moving_shapes', 'coco_panoptic', 'cityscapes', 'kitti_step',
  # 'davis', or 'panoptic_folder', a set of the user's own.
  name: str = 'shapes'
  # 'folder': official files. 'tfds': records of data/prepare.py. '': as `dir`
  # holds one of the two.
  source: str = ''
  dir: Path = ''  # Root of the folder, or TFDS' data directory.
  train_split: str = 'train'
  eval_split: str = 'validation'
  augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
  shapes: Shapes = dataclasses.field(default_factory=Shapes)
  moving_shapes: MovingShapes = dataclasses.field(default_factory=MovingShapes)
  cache: bool = False  # Keep the files' bytes in memory.
  eval_examples: Limit = None  # First images or videos; None: all.
  # Videos: the past frames whose masks are given, counted from the frame.
  past_frames: PastFrames = (-2, -1)
  service: str = ''  # Address of a tf.data service that prepares the batches.


@dataclasses.dataclass
class Optimizer(Section):
  """AdamW, its learning rate and the averaged weights."""

  learning_rate: Positive = 1e-4
  schedule: str = 'linear'  # 'constant', 'linear' or 'cosine'.
  end_factor: Share = 0.1  # Last learning rate, as a share of the first.
  warmup_steps: CountOrZero = 0
  beta_1: Rate = 0.9
  beta_2: Rate = 0.999
  epsilon: Positive = 1e-8
  # A kernel of n > base_fan_in inputs learns at learning_rate * base_fan_in / n
  # (muP, arXiv 2203.03466); 0: all variables alike, as in the paper.
  base_fan_in: CountOrZero = 0
  weight_decay: NotNegative = 0.05  # Decoupled, on all variables.
  clip_norm: NotNegative = 1.0  # Of the global gradient; 0: off.
  accumulation_steps: BatchSize = 1  # Micro-batches per update.
  ema_decay: Rate = 0.999
  ema_warmup: bool = False  # Decay min(ema_decay, (1 + n) / (10 + n)).


@dataclasses.dataclass
class Training(Section):
  """The loop."""

  steps: Count = 1000
  batch_size: BatchSize = 16  # Global; per update, over all micro-batches.
  seed: Seed = 0
  precision: str = 'float32'  # 'float32' or 'bfloat16'.
  jit_compile: bool = False
  # Blocks of the network are computed again in the backward pass instead of
  # kept: a fraction of the memory for a third more operations.
  recompute: bool = False
  # Loaded in this order; later weights replace earlier ones. See
  # models/checkpoints.py.
  init_checkpoint: Tuple[Path, ...] = ()
  init_weights: str = 'ema'  # 'ema' or 'online', where a file has both.
  freeze_encoder: bool = False
  log_every: Count = 50  # Steps.
  checkpoint_every: Count = 1000  # Steps.
  keep_checkpoints: Count = 3
  visualize_every: CountOrZero = 0  # Steps; 0: only when the run is evaluated.


@dataclasses.dataclass
class Video(Section):
  """How videos are streamed and scored."""

  metric: str = 'stq'  # 'stq', with VPQ, or 'j_and_f', unsupervised.
  # Of the sampler; 0: as on later frames.
  first_frame_steps: Annotated[int, at_least(0), at_most(10_000)] = 0
  # Longer videos are split into the fewest pieces that are not longer, and each
  # piece starts without a past; 0: no limit.
  max_frames: CountOrZero = 0
  split: bool = True  # False: a longer video is an error.
  withhold_past: bool = False  # As if every frame were the first: a baseline.


@dataclasses.dataclass
class Evaluation(Section):
  """Sampling and scoring."""

  every: CountOrZero = 0  # Steps, in train_and_eval; 0: only after the last.
  batch_size: BatchSize = 16  # Global.
  sampler: Sampler = dataclasses.field(default_factory=Sampler)
  # A predicted segment. 'id': the pixels of an instance id, with their majority
  # class (the paper). 'class_and_id': for things, the pixels of a class and an
  # id; for stuff, all pixels of a class.
  segments_by: str = 'id'
  min_segment_pixels: CountOrZero = 0  # Smaller predicted segments become void.
  # Answers to each image, drawn as one batch: the one is scored that agrees
  # best with the others. See panoptic/answers.py.
  samples: Annotated[int, between(1, 1000)] = 1
  # Segments that the other answers agree less on become void; needs samples.
  min_segment_score: Share = 0.0
  weights: str = 'ema'  # 'ema' or 'online'.
  seed: Seed = 0  # Of the sampling noise.
  # Images that are drawn; or videos, of which there are at most four.
  num_visualized: Annotated[int, between(0, 1000)] = 8
  # The images that are drawn, by id or by file name, or the videos by name;
  # empty: the first `num_visualized`. --mode=inspect takes them for its own.
  visualized_ids: Tuple[str, ...] = ()
  write_results: bool = False  # Official result files in the run folder.
  # Number of evaluations in --mode=eval, which reports their mean and standard
  # deviation. Run r has the seed `seed + r`.
  runs: Annotated[int, between(1, 100_000)] = 1
  video: Video = dataclasses.field(default_factory=Video)


# Fields of `Evaluation` that leave the scores as they are.
WITHOUT_SCORES = ('every', 'batch_size', 'num_visualized', 'visualized_ids')


@dataclasses.dataclass
class Experiment(Section):
  """Everything about one run."""

  task: str = 'panoptic'  # 'panoptic': images. 'video': streams of frames.
  model: Model = dataclasses.field(default_factory=Model)
  loss: Loss = dataclasses.field(default_factory=Loss)
  data: Data = dataclasses.field(default_factory=Data)
  optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
  training: Training = dataclasses.field(default_factory=Training)
  evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
