"""Pix2Seq-D: panoptic maps from images by bit diffusion.

`loss` is Algorithm 1 and `sample` Algorithm 2 of "A Generalist Framework for
Panoptic Segmentation of Images and Videos" (arXiv 2210.06366).
"""

import warnings
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import func_graph

from configs import base
from models import (
  bits,
  diffusion,
  image_encoder,
  input_checks,
  keras_model,
  losses,
  mask_decoder,
  prng,
  validation,
)
from models.blocks import layers


class Pix2SeqD(keras_model.KerasModel):
  """The network with its diffusion.

  Sizes: images `[B, H, W, 3]`, uint8 or float in [0, 1]; panoptic maps int32
  `[B, h, w, 2]` (class, id); analog bits float32 `[B, h, w, 2 * n]`.

  `infer` is for direct calls. The other methods are parts of a program: called
  in Python they run operation by operation, and within a `tf.function` many
  times as fast.
  """

  def __init__(self, config: base.Model):
    """Builds the network; its weights exist after `build_weights`.

    Args:
      config: Sizes and parameterization.

    Raises:
      ValueError: Where sizes do not fit each other, or for an unknown name.
    """
    super().__init__(name='pix2seq_d')
    validation.check(config)
    self.config = config
    self.parameterization = losses.parameterization(
      config.parameterization, config.bits, config.input_scaling
    )
    self.encoder, self.encoder_merge = None, None
    if not config.unconditional:
      self.encoder = image_encoder.ImageEncoder(config.encoder, name='encoder')
      if 'concat' in config.conditioning:
        self.encoder_merge = image_encoder.PyramidMerge(
          config.encoder.feature_dim,
          image_encoder.merge_factor(config),
          name='encoder_merge',
        )
    self.decoder = mask_decoder.MaskDecoder(
      config, self.parameterization.channels, name='decoder'
    )

  # AutoGraph would convert all layers at their first call, which takes seconds.
  @tf.autograph.experimental.do_not_convert
  def build_weights(self) -> None:
    """Creates all weights, by a call that is traced and never run."""
    c = self.config
    graph = tf.__internal__.FuncGraph('weights')
    with graph.as_default():
      encoded = self.encode(tf.zeros([1, *c.image_size, 3]))
      x_t = tf.zeros([1, *c.mask_size, 2 * c.bits])
      self.denoise(encoded, x_t, gamma=tf.zeros([1]))
    # Python's collector of garbage cannot see the circles of a graph.
    func_graph.dismantle_func_graph(graph)
    self.built = True

  def infer(
    self,
    image: tf.Tensor,
    sampler: base.Sampler,
    seed: int | tf.Tensor = 0,
    past_masks: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Panoptic maps of images, whose noise a seed decides.

    The first call with a sampler and a number of images compiles. Row i has the
    noise of the i-th image of `--mode=predict`.

    Args:
      image: `[B, H, W, 3]`; of an unconditional model only B counts.
      sampler: Such as `config.evaluation.sampler` of an experiment.
      seed: Of the noise, an integer scalar.
      past_masks: As for `denoise`.

    Returns:
      int32 `[B, h, w, 2]`.

    Raises:
      ValueError: If a tensor is of another size or type, or if the model has no
        weights yet.
    """
    self.require_weights()
    if self.encoder is not None:
      input_checks.check_image(self.config, image)
    input_checks.check_past_masks(self.config, past_masks)
    input_checks.check_sampler(sampler)
    seed = tf.cast(seed, tf.int64)
    # Values, of which the program is a function; a sampler may be changed.
    return self._infer(image, seed, past_masks, sampler.as_dict())

  @tf.function(autograph=False)
  def _infer(self, image, seed, past_masks, values) -> tf.Tensor:
    sampler = base.Sampler(default_params=values)
    rows = tf.range(layers.batch_size(image), dtype=tf.int64)
    seeds = prng.row_seeds(seed, rows)
    encoded = self.encode(image)
    return self.decode(
      self.sample(encoded, None, sampler, past_masks, seeds=seeds)
    )

  def freeze_encoder(self) -> None:
    """Stops training of the image encoder and its batch statistics."""
    if self.encoder is not None:
      self.encoder.trainable = False

  def encode(
    self,
    image: tf.Tensor,
    training: bool = False,
    rng: prng.Rng | None = None,
  ) -> image_encoder.Encoded | None:
    """Encodes images for the decoder.

    Args:
      image: `[B, H, W, 3]`.
      training: Whether batch norm takes the batch's statistics.
      rng: Random numbers for dropout; None for no dropout.

    Returns:
      The encoded images; None for an unconditional model.

    Raises:
      ValueError: If the images are of another size or type.
    """
    if self.encoder is not None:
      input_checks.check_image(self.config, image)
    pyramid = self._pyramid(image, training)
    return self._encode_pyramid(pyramid, rng if training else None)

  def _pyramid(self, image, training):
    """The feature maps of the backbone, the coarsest last."""
    if self.encoder is None:
      return None
    if tf.as_dtype(image.dtype) == tf.uint8:
      image = tf.cast(image, tf.float32) / 255
    learns = training and self.encoder.trainable
    return self.encoder.resnet(image, training=learns)

  def _encode_pyramid(self, pyramid, rng) -> image_encoder.Encoded | None:
    """The rest of `encode`."""
    if self.encoder is None:
      return None
    learns = self.encoder.trainable
    tokens = self.encoder(pyramid, rng=rng if learns else None)
    features = None
    if self.encoder_merge is not None:
      pyramid = image_encoder.replace_coarsest(pyramid, tokens)
      features = self.encoder_merge(pyramid)
    return image_encoder.Encoded(tokens, features)

  def denoise(
    self,
    encoded: image_encoder.Encoded | None,
    x_t: tf.Tensor,
    gamma: tf.Tensor,
    past_masks: tf.Tensor | None = None,
    rng: prng.Rng | None = None,
    estimate: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """The decoder's output for noisy bits.

    Args:
      encoded: The images, from `encode`.
      x_t: Noisy analog bits, `[B, h, w, 2 * n]`.
      gamma: Shares of signal, float32 `[B]`.
      past_masks: Panoptic maps of earlier frames, oldest first, int32
        `[B, h, w, 2 * past_masks]`; a map that does not exist is all void.
        None: all are void, or the model takes none.
      rng: Random numbers for dropout; None for no dropout.
      estimate: An estimate of x_0 for a model with self-conditioning; None:
        zeros.

    Returns:
      `[B, h, w, channels]`, of the meaning of `parameterization`.

    Raises:
      ValueError: If a tensor is of another size or type, or missing.
    """
    input_checks.check_bits(self.config, 'x_t', x_t, encoded)
    input_checks.check_gamma(gamma, x_t)
    input_checks.check_past_masks(self.config, past_masks)
    input_checks.check_estimate(self.config, estimate)
    past_bits = self._past_bits(past_masks, layers.batch_size(x_t))
    return self.decoder(x_t, gamma, encoded, past_bits, rng, estimate)

  def loss(
    self,
    image: tf.Tensor,
    label_map: tf.Tensor,
    seeds: tf.Tensor,
    config: base.Loss,
    past_masks: tf.Tensor | None = None,
    t: tf.Tensor | None = None,
    eps: tf.Tensor | None = None,
    training: bool = True,
    compile_parts: bool = False,
  ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """The training loss (Algorithm 1).

    Args:
      image: `[B, H, W, 3]`.
      label_map: Panoptic maps, int32 `[B, h, w, 2]`.
      seeds: int64 `[B, 2]`; time, noise and dropout of an example are functions
        of its own seed.
      config: Exponent of the weights, and schedule.
      past_masks: As for `denoise`.
      t: Times in [0, 1], float32 `[B * draws]`; drawn where not given.
      eps: Unit noise `[B * draws, h, w, 2 * n]`; drawn where not given.
      training: Whether batch norm takes the batch's statistics, and dropout
        drops.
      compile_parts: Whether to compile all but the backbone with XLA. In the
        backbone replicas exchange batch statistics, which XLA cannot do on
        GPUs.

    Returns:
      The mean loss, and the mean loss of classes and of ids by name.

    Raises:
      ValueError: If a tensor is of another size or type.
    """
    if self.encoder is not None:
      input_checks.check_image(self.config, image)
    input_checks.check_label_map(self.config, label_map)
    input_checks.check_past_masks(self.config, past_masks)
    input_checks.check_seeds(seeds)
    input_checks.check_loss(config)
    input_checks.check_rows(
      image=image, label_map=label_map, past_masks=past_masks, seeds=seeds
    )
    pyramid = self._pyramid(image, training)

    def compute(pyramid, label_map, seeds, past_masks, t, eps):
      return self._loss_of_pyramid(
        pyramid, label_map, seeds, config, past_masks, t, eps, training
      )

    if compile_parts:
      compute = tf.function(compute, autograph=False, jit_compile=True)
    return compute(pyramid, label_map, seeds, past_masks, t, eps)

  def _loss_of_pyramid(
    self, pyramid, label_map, seeds, config, past_masks, t, eps, training
  ):
    n, b = self.config.bits, self.config.input_scaling
    encoded, draws = None, config.noise_draws
    if draws > 1:  # The image is encoded once for all of them.
      encoded = self._encode_pyramid(
        pyramid, prng.Rng(seeds) if training else None
      )
      encoded, label_map, past_masks, seeds = repeat_rows(
        (encoded, label_map, past_masks, seeds), draws
      )
      numbers = tf.range(layers.batch_size(seeds)) % draws
      seeds = prng.fold_in(seeds, numbers)
    rng = prng.Rng(seeds)
    # 1. The map as analog bits.
    x_0 = bits.to_analog(label_map, n, b)
    # 2. Noise at a random time.
    t = rng.scalar() if t is None else t
    eps = rng.normal(x_0.shape[1:]) if eps is None else eps
    gamma = diffusion.gamma(t, config.schedule)
    gamma_t = gamma[:, None, None, None]
    x_t = diffusion.add_noise(x_0, gamma_t, eps)
    # 3. The prediction, from the image and the noisy bits.
    dropout = rng if training else None
    if draws == 1:
      encoded = self._encode_pyramid(pyramid, dropout)
    past_bits = self._past_bits(past_masks, layers.batch_size(x_t))
    inputs = x_t, gamma, encoded, past_bits
    estimate = None
    if self.config.self_conditioning:
      x_pred = self.parameterization.x_0(self.decoder(*inputs), x_t, gamma_t)
      given = rng.scalar() < config.self_conditioning_rate
      estimate = tf.where(given[:, None, None, None], x_pred, 0.0)
      estimate = tf.stop_gradient(tf.clip_by_value(estimate, -b, b))
    features = self.decoder(*inputs, dropout, estimate, head=False)
    # 4. The loss of every pixel's class and id.
    decoder, meaning = self.decoder, self.parameterization
    if isinstance(meaning, losses.Softmax):
      loss = meaning.loss_of_features(features, decoder.conv_out, label_map)
    else:
      out = decoder.head(features)
      loss = meaning.loss(out, label_map, x_0, x_t, eps, gamma_t)
    # 5. More weight for small instances.
    if config.weight_p:
      ids = label_map[..., 1]
      weight = losses.instance_size_weight(ids, n, config.weight_p)
      loss *= weight[..., None]
    loss_class, loss_instance = tf.unstack(tf.reduce_mean(loss, [0, 1, 2]))
    parts = {'loss_class': loss_class, 'loss_instance': loss_instance}
    return (loss_class + loss_instance) / 2, parts

  def sample(
    self,
    encoded: image_encoder.Encoded | None,
    noise: tf.Tensor | None,
    sampler: base.Sampler,
    past_masks: tf.Tensor | None = None,
    noise_fn: Callable[[tf.Tensor], tf.Tensor] | None = None,
    trajectory: bool = False,
    given: tf.Tensor | None = None,
    known: tf.Tensor | None = None,
    steps: tf.Tensor | None = None,
    seeds: tf.Tensor | None = None,
  ) -> tf.Tensor:
    """Panoptic maps of images, as analog bits (Algorithm 2).

    A part of a program, which warns if it is called outside of one: `infer` is
    for direct calls.

    Args:
      encoded: The images, from `encode`.
      noise: Unit noise `[B, h, w, 2 * n]`; None: that of `seeds`.
      sampler: Name of the update rule, steps, td and schedule.
      past_masks: As for `denoise`.
      noise_fn: Returns unit noise for a step's number; the DDPM samplers need
        it, or `seeds`.
      trajectory: Whether to return the predictions of all steps.
      given: Panoptic maps of which a part is known and kept, int32
        `[B, h, w, 2]`; None: nothing is.
      known: That part, bool `[B, h, w]`.
      steps: int32 scalar in place of `sampler.steps`, for a graph that takes
        any number of steps.
      seeds: int64 `[B, 2]`, such as `prng.row_seeds` makes, in place of `noise`
        and `noise_fn`: the noise of a row is a function of its own.

    Returns:
      x_0 `[B, h, w, 2 * n]`, or `[steps, B, h, w, 2 * n]`; see `decode`.

    Raises:
      ValueError: If a tensor is of another size or type, or missing.
    """
    if tf.executing_eagerly():
      warnings.warn(
        'Pix2SeqD.sample runs operation by operation here, many times slower '
        'than within tf.function: call model.infer(image, sampler, seed), '
        'which compiles',
        stacklevel=2,
      )
    input_checks.check_sampler(sampler)
    if noise is None:
      input_checks.check_seeds(seeds)
      noise, noise_fn = self._noise(seeds)
    input_checks.check_bits(self.config, 'noise', noise, encoded)
    input_checks.check_past_masks(self.config, past_masks)
    input_checks.check_given(self.config, given, known, noise)
    t_now, _ = diffusion.sampling_times(
      sampler.steps if steps is None else steps, sampler.td
    )
    gammas = diffusion.gamma(t_now, sampler.schedule)
    batch = layers.batch_size(noise)
    past_bits = self._past_bits(past_masks, batch)
    denoise = self.decoder.precompute(gammas, encoded, past_bits, batch)

    def predict_x_0(x_t, i, estimate=None):
      out = denoise(x_t, i, estimate)
      return self.parameterization.x_0(out, x_t, gammas[i])

    n, b = self.config.bits, self.config.input_scaling
    return diffusion.infer(
      predict_x_0,
      noise,
      sampler,
      b,
      noise_fn,
      trajectory,
      self.config.self_conditioning,
      None if given is None else bits.to_analog(given, n, b),
      None if known is None else known[..., tf.newaxis],
      steps,
    )

  def _noise(self, seeds):
    """The noise of rows at time 1, and that of a step by its number."""
    shape = [*self.config.mask_size, 2 * self.config.bits]

    def draw(number):
      return prng.normal(seeds, shape, number)

    return draw(0), lambda step: draw(step + 1)

  def decode(self, x_0: tf.Tensor) -> tf.Tensor:
    """The panoptic map of analog bits, clipped to known classes and ids.

    Args:
      x_0: `[..., h, w, 2 * n]`.

    Returns:
      int32 `[..., h, w, 2]`.

    Raises:
      ValueError: If there are not 2 * n bits.
    """
    c = self.config
    input_checks.check_decoded(c, x_0)
    return bits.from_analog(x_0, c.bits, c.num_classes, c.max_instances)

  def _past_bits(
    self, past_masks: tf.Tensor | None, batch: int | tf.Tensor
  ) -> tf.Tensor | None:
    """Analog bits of past masks; None for a model without."""
    c = self.config
    if not c.past_masks:
      return None
    if past_masks is None:
      past_masks = tf.zeros([batch, *c.mask_size, 2 * c.past_masks], tf.int32)
    return bits.to_analog(past_masks, c.bits, c.input_scaling)


def repeat_rows(values: Any, count: int) -> Any:
  """Repeats every row of tensors, one copy after the other.

  Args:
    values: Tensors `[B, ...]` and None, in any structure.
    count: Of copies.

  Returns:
    The same structure of tensors `[B * count, ...]` and None.
  """
  return tf.nest.map_structure(
    lambda x: None if x is None else tf.repeat(x, count, 0), values
  )
