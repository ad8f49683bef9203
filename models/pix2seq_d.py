"""Pix2Seq-D: panoptic maps from images by bit diffusion.

`loss` is Algorithm 1 and `sample` Algorithm 2 of "A Generalist Framework for
Panoptic Segmentation of Images and Videos" (arXiv 2210.06366).
"""

from typing import Callable, Dict, Optional, Tuple

import tensorflow as tf
import tf_keras

from configs import base
from models import (
  bits,
  diffusion,
  image_encoder,
  layers,
  losses,
  mask_decoder,
  randomness,
)


class Pix2SeqD(tf_keras.Model):
  """The network with its diffusion.

  Sizes: images `[B, H, W, 3]` in [0, 1], panoptic maps int32 `[B, h, w, 2]`
  (class, id), analog bits float32 `[B, h, w, 2 * n]`.
  """

  def __init__(self, config: base.Model):
    """Builds the network; its weights exist after `build_weights`.

    Args:
      config: sizes and formulation.

    Raises:
      ValueError: where sizes do not fit each other, or on unknown names.
    """
    super().__init__(name='pix2seq_d')
    check(config)
    self.config = config
    self.prediction = losses.prediction(
      config.parameterization, config.bits, config.input_scaling
    )
    self.encoder, self.encoder_merge = None, None
    if not config.unconditional:
      self.encoder = image_encoder.ImageEncoder(config.encoder, name='encoder')
      if 'concat' in config.conditioning:
        self.encoder_merge = image_encoder.PyramidMerge(
          config.encoder.feature_dim,
          image_encoder.merge_factor(config.image_size, config.mask_size),
          name='encoder_merge',
        )
    self.decoder = mask_decoder.MaskDecoder(
      config, self.prediction.channels, name='decoder'
    )

  # Nothing here is for AutoGraph, whose conversion takes longer than tracing.
  @tf.autograph.experimental.do_not_convert
  def build_weights(self) -> None:
    """Creates all weights, by a call that is traced and never run."""
    c = self.config
    with tf.__internal__.FuncGraph('weights').as_default():
      past = None
      if c.past_masks:
        past = tf.zeros([1, *c.mask_size, 2 * c.past_masks], tf.int32)
      self.denoise(
        tf.zeros([1, *c.image_size, 3]),
        tf.zeros([1, *c.mask_size, 2 * c.bits]),
        tf.zeros([1]),
        past,
      )
    self.built = True

  def freeze_encoder(self) -> None:
    """Leaves the image encoder as it is, batch statistics included."""
    if self.encoder is not None:
      self.encoder.trainable = False

  def encode(
    self,
    image: tf.Tensor,
    training: bool = False,
    rng: Optional[randomness.Rng] = None,
  ) -> Optional[image_encoder.Encoded]:
    """What the decoder needs of images; None for an unconditional model."""
    if self.encoder is None:
      return None
    learns = training and self.encoder.trainable
    pyramid, tokens = self.encoder(
      image, training=learns, rng=rng if learns else None
    )
    features = None
    if self.encoder_merge is not None:
      pyramid = image_encoder.replace_coarsest(pyramid, tokens)
      features = self.encoder_merge(pyramid)
    return image_encoder.Encoded(tokens, features)

  def condition(
    self,
    encoded: Optional[image_encoder.Encoded],
    past_masks: Optional[tf.Tensor],
    batch: int | tf.Tensor,
  ) -> mask_decoder.Context:
    """What all denoising steps share.

    Args:
      encoded: the images, from `encode`.
      past_masks: int32 `[B, h, w, 2 * past_masks]`, oldest first, all void
        where there is none; None for a model without.
      batch: B.

    Returns:
      The decoder's context.
    """
    past_bits = None
    if self.config.past_masks:
      if past_masks is None:
        shape = [batch, *self.config.mask_size, 2 * self.config.past_masks]
        past_masks = tf.zeros(shape, tf.int32)
      past_bits = bits.to_analog(
        past_masks, self.config.bits, self.config.input_scaling
      )
    return self.decoder.condition(encoded, past_bits, batch)

  def denoise(self, image, x_t, gamma, past_masks=None) -> tf.Tensor:
    """The decoder's output for noisy bits, in inference mode.

    Args:
      image: `[B, H, W, 3]`.
      x_t: `[B, h, w, 2 * n]`.
      gamma: float32 `[B]`.
      past_masks: as for `condition`.

    Returns:
      `[B, h, w, channels]`: logits, bits or noise (`config.parameterization`).
    """
    context = self.condition(
      self.encode(image), past_masks, layers.batch_size(x_t)
    )
    return self.decoder(x_t, self.decoder.modulate(gamma), context)

  # Nothing here is for AutoGraph, whose conversion takes longer than tracing.
  @tf.autograph.experimental.do_not_convert
  def loss(
    self,
    image: tf.Tensor,
    label_map: tf.Tensor,
    seeds: tf.Tensor,
    config: base.Loss,
    past_masks: Optional[tf.Tensor] = None,
  ) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """The training loss (Algorithm 1) at random times.

    Args:
      image: `[B, H, W, 3]`.
      label_map: int32 `[B, h, w, 2]`.
      seeds: int64 `[B, 2]`; an example's time, noise and dropout are functions
        of its own.
      config: weights and schedule.
      past_masks: as for `condition`.

    Returns:
      The mean loss, and its part of each group by name.
    """
    rng = randomness.Rng(seeds)
    t = rng.scalar()
    eps = rng.normal([*self.config.mask_size, 2 * self.config.bits])
    return self.loss_at(
      image,
      label_map,
      t,
      eps,
      config,
      training=True,
      rng=rng,
      past_masks=past_masks,
    )

  def loss_at(
    self,
    image: tf.Tensor,
    label_map: tf.Tensor,
    t: tf.Tensor,
    eps: tf.Tensor,
    config: base.Loss,
    training: bool = False,
    rng: Optional[randomness.Rng] = None,
    past_masks: Optional[tf.Tensor] = None,
  ) -> Tuple[tf.Tensor, Dict[str, tf.Tensor]]:
    """The loss at given times and noise.

    Args:
      image: `[B, H, W, 3]`.
      label_map: int32 `[B, h, w, 2]`.
      t: float32 `[B]` in [0, 1].
      eps: unit noise `[B, h, w, 2 * n]`.
      config: weights and schedule.
      training: whether batch norm takes the batch's statistics.
      rng: dropout's random numbers; None: no dropout.
      past_masks: as for `condition`.

    Returns:
      The mean loss, and its part of each group by name.
    """
    n, b = self.config.bits, self.config.input_scaling
    x_0 = bits.to_analog(label_map, n, b)
    gamma = diffusion.gamma(t, config.schedule)
    gamma_t = gamma[:, None, None, None]
    x_t = diffusion.add_noise(x_0, gamma_t, eps)
    encoded = self.encode(image, training, rng)
    context = self.condition(encoded, past_masks, layers.batch_size(x_t))
    out = self.decoder(x_t, self.decoder.modulate(gamma), context, rng)
    loss = self.prediction.loss(out, label_map, x_0, x_t, eps, gamma_t)
    if config.weight_p:
      weight = losses.instance_size_weight(
        label_map[..., 1], n, config.weight_p
      )
      loss *= weight[..., None]
    of_class, of_instance = tf.unstack(tf.reduce_mean(loss, [0, 1, 2]))
    parts = {'loss_class': of_class, 'loss_instance': of_instance}
    return (of_class + of_instance) / 2, parts

  # Nothing here is for AutoGraph, whose conversion takes longer than tracing.
  @tf.autograph.experimental.do_not_convert
  def sample(
    self,
    image: tf.Tensor,
    noise: tf.Tensor,
    sampler: base.Sampler,
    past_masks: Optional[tf.Tensor] = None,
    draw_noise: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
    trajectory: bool = False,
  ) -> tf.Tensor:
    """Panoptic maps of images, as analog bits (Algorithm 2).

    Args:
      image: `[B, H, W, 3]`.
      noise: unit noise `[B, h, w, 2 * n]`.
      sampler: rule, steps, td and schedule.
      past_masks: as for `condition`.
      draw_noise: unit noise for a step's number; for the DDPM samplers only.
      trajectory: keep the predictions of all steps.

    Returns:
      x_0 `[B, h, w, 2 * n]`, or `[steps, B, h, w, 2 * n]`; see `decode`.
    """
    return self.sample_encoded(
      self.encode(image), noise, sampler, past_masks, draw_noise, trajectory
    )

  @tf.autograph.experimental.do_not_convert
  def sample_encoded(
    self,
    encoded: Optional[image_encoder.Encoded],
    noise: tf.Tensor,
    sampler: base.Sampler,
    past_masks: Optional[tf.Tensor] = None,
    draw_noise: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
    trajectory: bool = False,
  ) -> tf.Tensor:
    """As `sample`, of images from `encode`."""
    # All that does not depend on x_t is computed here, once.
    context = self.condition(encoded, past_masks, layers.batch_size(noise))
    t_now, _ = diffusion.sampling_times(sampler.steps, sampler.td)
    gammas = diffusion.gamma(t_now, sampler.schedule)
    modulation = self.decoder.modulate(gammas)

    def predict_x_0(x_t, i):
      out = self.decoder(x_t, modulation.at(i), context)
      return self.prediction.x_0(out, x_t, gammas[i])

    return diffusion.generate(
      predict_x_0,
      noise,
      sampler,
      self.config.input_scaling,
      draw_noise,
      trajectory,
    )

  def decode(self, x_0: tf.Tensor) -> tf.Tensor:
    """The panoptic map of analog bits, clipped to known classes and ids."""
    c = self.config
    return bits.from_analog(x_0, c.bits, c.num_classes, c.max_instances)


def check(config: base.Model) -> None:
  """Raises ValueError where parts of a model do not fit each other."""
  mask_decoder.check_sizes(config)
  kinds = set(config.conditioning)
  if not kinds or not kinds <= {'concat', 'attention'}:
    raise ValueError(
      f'conditioning {tuple(config.conditioning)} must name concat, attention '
      'or both; set model.unconditional for a decoder without images'
    )
  for name in ('num_classes', 'max_instances'):
    if not 1 <= getattr(config, name) <= 2**config.bits:
      raise ValueError(
        f'{name} is {getattr(config, name)}, but {config.bits} bits code 1 to '
        f'{2**config.bits} values: change it or model.bits'
      )
  for part, dim, heads in (
    ('encoder', config.encoder.dim, config.encoder.num_heads),
    (
      'decoder',
      config.decoder.transformer_dim,
      config.decoder.transformer_dim // config.decoder.head_dim,
    ),
  ):
    if not heads or dim % heads:
      raise ValueError(
        f"the {part}'s transformer has {dim} channels, which do not divide "
        f'into {heads} heads: change one of them'
      )
