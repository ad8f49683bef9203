"""The typed configuration of an experiment.

One `Experiment` holds all settings of a run. Experiments are registered by name
with `exp_factory` in the other modules of this package, and any field may be
overridden from the command line (`--params_override`) or from a YAML file
(`--config_file`).
"""

import dataclasses
from typing import Annotated, Optional, Tuple

from official.modeling import hyperparams

from configs.type_checks import Bound

# Types with bounds, which `type_checks` checks.
Count = Annotated[int, Bound('at least 1', lambda x: x >= 1)]
CountOrZero = Annotated[int, Bound('at least 0', lambda x: x >= 0)]
NotNegative = Annotated[float, Bound('at least 0', lambda x: x >= 0)]
Positive = Annotated[float, Bound('above 0', lambda x: x > 0)]
Share = Annotated[float, Bound('between 0 and 1', lambda x: 0 <= x <= 1)]
Rate = Annotated[float, Bound('at least 0 and below 1', lambda x: 0 <= x < 1)]
Limit = Optional[
  Annotated[int, Bound('at least 1, or null for all', lambda x: x >= 1)]
]
PastFrames = Annotated[
  Tuple[int, ...],
  Bound(
    'negative numbers, the oldest frame first',
    lambda x: list(x) == sorted(set(x)) and all(offset < 0 for offset in x),
  ),
]
ScaleRange = Annotated[
  Tuple[float, float],
  Bound('two positive numbers, the smaller first', lambda x: 0 < x[0] <= x[1]),
]


@dataclasses.dataclass
class ResNet(hyperparams.Config):
  """The convolutional part of the image encoder."""

  depth: int = 50  # 10, 18, 34: basic blocks. 50 to 200: bottlenecks.
  variant: str = 'c4'  # 'c4': three stages, stride 16. 'standard': stride 32.
  width_multiplier: float = 1.0


@dataclasses.dataclass
class ImageEncoder(hyperparams.Config):
  """ResNet, transformer and pyramid merge; the defaults are `resnet-c`."""

  resnet: ResNet = dataclasses.field(default_factory=ResNet)
  dim: int = 512
  num_layers: int = 12
  num_heads: Count = 16
  mlp_dim: int = 2048
  drop_path: Rate = 0.1
  drop_units: Rate = 0.1
  drop_attention: Rate = 0.0
  feature_dim: int = 256  # Channels of the merged pyramid, at mask size.


@dataclasses.dataclass
class MaskDecoder(hyperparams.Config):
  """The TransUNet denoiser."""

  dim: Count = 128
  channel_multipliers: Tuple[int, ...] = (1, 1, 2, 2)
  blocks_per_level: int = 1
  conv_in_kernel: int = 1
  transformer_dim: Count = 512
  transformer_layers: int = 6
  head_dim: Count = 64
  dropout: Rate = 0.0
  time_scaling: float = 1e4  # Not stated in the paper.
  # So many pixels, squared, are one for the network, which then computes masks
  # of this multiple of its size.
  stride: Count = 1


@dataclasses.dataclass
class Schedule(hyperparams.Config):
  """gamma(t), the share of signal at time t.

  `paper` is Algorithm 4's. `cosine` and `sigmoid` are the start/end/tau
  families and `linear` the line of arXiv 2301.10972.
  """

  name: str = 'paper'
  start: float = 0.0
  end: float = 1.0
  tau: float = 1.0


@dataclasses.dataclass
class Model(hyperparams.Config):
  """The network and its diffusion."""

  image_size: Tuple[Count, Count] = (256, 256)
  mask_size: Tuple[Count, Count] = (128, 128)
  num_classes: Count = 134  # Void (0) included.
  max_instances: Count = 101  # K: ids are 1..K-1; 0 is void.
  bits: Count = 8  # Per channel of the panoptic map.
  input_scaling: Positive = 0.1  # b
  # How the image reaches the decoder: 'concat', 'attention' or both.
  conditioning: Tuple[str, ...] = ('concat', 'attention')
  # Decoder pretraining: image features are zeros and there is no encoder.
  unconditional: bool = False
  # What the decoder predicts, which decides the training loss: 'softmax' (cross
  # entropy on integers), 'sigmoid' (cross entropy on bits), 'x', 'eps' or 'v'
  # (squared errors).
  parameterization: str = 'softmax'
  past_masks: CountOrZero = 0  # Earlier frames with given masks: 2 for video.
  # The decoder is also given an estimate of x_0: in sampling, that of the step
  # before (arXiv 2208.04202).
  self_conditioning: bool = False
  # The decoder takes x_t over its standard deviation (arXiv 2301.10972).
  normalize_x_t: bool = False
  encoder: ImageEncoder = dataclasses.field(default_factory=ImageEncoder)
  decoder: MaskDecoder = dataclasses.field(default_factory=MaskDecoder)


@dataclasses.dataclass
class Loss(hyperparams.Config):
  """Algorithm 1."""

  weight_p: NotNegative = 0.2  # Exponent of the instance-size weight; 0: none.
  # Share of the examples with an estimate, under `model.self_conditioning`.
  self_conditioning_rate: Share = 0.5
  # Times and noises drawn for each example, whose image is encoded once.
  noise_draws: Count = 1
  schedule: Schedule = dataclasses.field(default_factory=Schedule)


@dataclasses.dataclass
class Sampler(hyperparams.Config):
  """Algorithm 2."""

  name: str = 'ddim'  # 'ddim', 'ddpm_large', 'ddpm_small' or 'dpm_solver'.
  steps: Count = 20
  td: NotNegative = 0.0  # Asymmetric time interval.
  schedule: Schedule = dataclasses.field(default_factory=Schedule)


@dataclasses.dataclass
class Shapes(hyperparams.Config):
  """The procedural scenes: their difficulty, number and seed."""

  size: int = 64  # Pixels, height and width.
  stuff_regions: int = 2  # At most, per scene; at least one.
  stuff_classes: int = 3
  thing_classes: int = 3
  min_objects: int = 1
  max_objects: int = 4
  min_radius: float = 0.14  # As a share of `size`.
  max_radius: float = 0.28
  texture: float = 0.15  # Amplitude of the patterns, in [0, 1] intensity.
  noise: float = 0.05  # Standard deviation of the pixel noise.
  train_examples: int = 1_000_000  # Scenes are made when they are read.
  eval_examples: int = 256
  seed: int = 0  # Apart from the training's, so that runs share their scenes.


@dataclasses.dataclass
class MovingShapes(Shapes):
  """The procedural videos; an example is a video."""

  frames: int = 16  # Of a video.
  min_speed: float = 0.02  # Of an object, as a share of `size` a frame.
  max_speed: float = 0.08
  max_spin: float = 0.02  # Turns a frame, either way round.
  train_examples: int = 100_000
  eval_examples: int = 32


@dataclasses.dataclass
class Augmentation(hyperparams.Config):
  """Training transforms."""

  scale_jitter: ScaleRange = (1.0, 1.0)
  flip: bool = True
  color_jitter: float = 0.0  # Strength; 0: off.
  past_mask_dropout: Share = 0.2  # Share of past masks that become void.


@dataclasses.dataclass
class Data(hyperparams.Config):
  """Where the examples come from."""

  # 'shapes', 'moving_shapes', 'coco_panoptic', 'cityscapes', 'kitti_step',
  # 'davis', or 'panoptic_folder', a set of the user's own.
  name: str = 'shapes'
  # 'folder': official files. 'tfds': records of data/prepare.py. '': as `dir`
  # holds one of the two.
  source: str = ''
  dir: str = ''  # Root of the folder, or TFDS' data directory.
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
class Optimizer(hyperparams.Config):
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
  accumulation_steps: Count = 1  # Micro-batches per update.
  ema_decay: Rate = 0.999
  ema_warmup: bool = False  # Decay min(ema_decay, (1 + n) / (10 + n)).


@dataclasses.dataclass
class Training(hyperparams.Config):
  """The loop."""

  steps: Count = 1000
  batch_size: Count = 16  # Global; per update, over all micro-batches.
  seed: int = 0
  precision: str = 'float32'  # 'float32' or 'bfloat16'.
  jit_compile: bool = False
  # Blocks of the network are computed again in the backward pass instead of
  # kept: a fraction of the memory for a third more operations.
  recompute: bool = False
  # Loaded in this order; later weights replace earlier ones. See
  # models/checkpoints.py.
  init_checkpoint: Tuple[str, ...] = ()
  init_weights: str = 'ema'  # 'ema' or 'online', where a file has both.
  freeze_encoder: bool = False
  log_every: Count = 50  # Steps.
  checkpoint_every: Count = 1000  # Steps.
  keep_checkpoints: Count = 3
  visualize_every: CountOrZero = 0  # Steps; 0: only when the run is evaluated.


@dataclasses.dataclass
class Video(hyperparams.Config):
  """How videos are streamed and scored."""

  metric: str = 'stq'  # 'stq', with VPQ, or 'j_and_f', unsupervised.
  first_frame_steps: CountOrZero = 0  # Of the sampler; 0: as on later frames.
  # Longer videos are split into the fewest pieces that are not longer, and each
  # piece starts without a past; 0: no limit.
  max_frames: CountOrZero = 0
  split: bool = True  # False: a longer video is an error.
  withhold_past: bool = False  # As if every frame were the first: a baseline.


@dataclasses.dataclass
class Evaluation(hyperparams.Config):
  """Sampling and scoring."""

  every: CountOrZero = 0  # Steps, in train_and_eval; 0: only after the last.
  batch_size: Count = 16  # Global.
  sampler: Sampler = dataclasses.field(default_factory=Sampler)
  # A predicted segment. 'id': the pixels of an instance id, with their majority
  # class (the paper). 'class_and_id': for things, the pixels of a class and an
  # id; for stuff, all pixels of a class.
  segments_by: str = 'id'
  min_segment_pixels: CountOrZero = 0  # Smaller predicted segments become void.
  weights: str = 'ema'  # 'ema' or 'online'.
  seed: int = 0  # Of the sampling noise.
  num_visualized: CountOrZero = 8  # Images or videos.
  write_results: bool = False  # Official result files in the run folder.
  # Number of evaluations in --mode=eval, which reports their mean and standard
  # deviation. Run r has the seed `seed + r`.
  runs: Count = 1
  video: Video = dataclasses.field(default_factory=Video)


@dataclasses.dataclass
class Experiment(hyperparams.Config):
  """Everything about one run."""

  task: str = 'panoptic'  # 'panoptic': images. 'video': streams of frames.
  model: Model = dataclasses.field(default_factory=Model)
  loss: Loss = dataclasses.field(default_factory=Loss)
  data: Data = dataclasses.field(default_factory=Data)
  optimizer: Optimizer = dataclasses.field(default_factory=Optimizer)
  training: Training = dataclasses.field(default_factory=Training)
  evaluation: Evaluation = dataclasses.field(default_factory=Evaluation)
