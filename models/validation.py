"""Checks that the parts of a model fit each other, before it is built."""

from configs import base
from models import image_encoder, losses, mask_decoder
from models.blocks import norms


def check(config: base.Model) -> None:
  """Checks sizes and names; builds nothing.

  Args:
    config: The model.

  Raises:
    ValueError: Where sizes do not fit each other, or for an unknown name.
  """
  _check_sizes(config)
  _check_norms(config.decoder)
  _check_merge(config)
  _check_heads(config)
  kinds = set(config.conditioning)
  if not kinds or not kinds <= set(mask_decoder.CONDITIONING):
    raise ValueError(
      f'conditioning {tuple(config.conditioning)} must name '
      f'{", ".join(mask_decoder.CONDITIONING)} or both; set '
      'model.unconditional for a decoder without images'
    )
  for name in ('num_classes', 'max_instances'):
    if not 1 <= getattr(config, name) <= 2**config.bits:
      raise ValueError(
        f'{name} is {getattr(config, name)}, but {config.bits} bits code 1 to '
        f'{2**config.bits} values: change it or model.bits'
      )
  losses.parameterization(
    config.parameterization, config.bits, config.input_scaling
  )


def _check_sizes(config: base.Model) -> None:
  """Image and mask must fit the strides, and each other."""
  stride = image_encoder.backbone_levels(config.encoder).strides[-1]
  halvings = len(config.decoder.channel_multipliers) - 1
  for name, size, unit in (
    ('image_size', config.image_size, stride),
    ('mask_size', config.mask_size, 2**halvings * config.decoder.stride),
  ):
    if len(size) != 2 or any(s <= 0 or s % unit for s in size):
      raise ValueError(
        f'{name} {tuple(size)} must be two multiples of {unit}, the largest '
        'stride of the network'
      )
  image_encoder.merge_factor(config)


def _check_norms(config: base.MaskDecoder) -> None:
  """Channels must divide into the groups of every norm in the decoder."""
  dim, widths = config.dim, [config.dim * m for m in config.channel_multipliers]
  # A norm's own width and the channels of its input: each level alone, joined
  # to its skips on the way up, and joined to the level below.
  normalized = [(w, w) for w in (*widths, *(2 * w for w in widths))]
  joined = zip(widths, [*widths[1:], config.transformer_dim], strict=True)
  normalized += [(a + b, a + b) for a, b in joined]
  normalized.append((config.transformer_dim, widths[-1]))
  for width, channels in normalized:
    groups = norms.num_groups(width)
    if channels % groups:
      raise ValueError(
        f'model.decoder: {channels} channels do not divide into the {groups} '
        f'groups of a norm; choose a dim (now {dim}) and a transformer_dim '
        f'(now {config.transformer_dim}) that are multiples of 4, and of 32 '
        'where such sums of them exceed 128'
      )


def _check_merge(config: base.Model) -> None:
  """Channels must divide into the groups of the norms that merge a pyramid."""
  if config.unconditional or 'concat' not in config.conditioning:
    return
  levels = image_encoder.backbone_levels(config.encoder).channels[:-1]
  widths = [('resnet.width_multiplier', width) for width in levels]
  if image_encoder.merge_factor(config) > 1:
    widths.append(('feature_dim', config.encoder.feature_dim))
  for name, width in widths:
    groups = norms.num_groups(width)
    if width % groups:
      raise ValueError(
        f'model.encoder.{name} gives {width} channels, which do not divide '
        f'into the {groups} groups of a norm: choose one that gives a multiple '
        'of 4, and of 32 from 128 on'
      )


def _check_heads(config: base.Model) -> None:
  """Channels of the transformers must divide into their heads."""
  encoder, decoder_dim = config.encoder, config.decoder.transformer_dim
  for part, dim, heads in (
    ('encoder', encoder.dim, encoder.num_heads),
    ('decoder', decoder_dim, decoder_dim // config.decoder.head_dim),
  ):
    if not heads or dim % heads:
      raise ValueError(
        f"the {part}'s transformer has {dim} channels, which do not divide "
        f'into {heads} heads: change one of them'
      )
