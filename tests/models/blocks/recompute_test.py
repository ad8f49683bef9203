import numpy as np
import pytest
import tensorflow as tf
import tiny

from benchmarks.measuring import graph_costs
from configs import base
from models.blocks import recompute

_SEEDS = tf.constant([[3, 4], [3, 5]], tf.int64)
_DROPOUT = dict(
  encoder__drop_path=0.2,
  encoder__drop_units=0.2,
  encoder__drop_attention=0.2,
  decoder__dropout=0.2,
)


@pytest.fixture(params=[False, True], ids=['plain', 'compiled'])
def compiled(request):
  return request.param


@pytest.mark.slow
def test_replicas_exchange_the_same_statistics(two_cpus):
  with two_cpus.scope():
    model = tiny.build(
      copy=7, decoder__dropout=0.2, decoder__channel_multipliers=(1,)
    )
  images, maps = tiny.batch(model.config, size=4)
  seeds = tf.concat([_SEEDS, _SEEDS + 5], 0)
  found = []
  for on in (False, True):
    tiny.randomize(model)
    recompute.set_recompute(model, on)

    def step(on=on):
      context = tf.distribute.get_replica_context()
      i = context.replica_id_in_sync_group
      rows = [tf.reshape(x, [2, 2, *x.shape[1:]])[i] for x in (images, maps)]
      with tf.GradientTape() as tape:
        loss, _ = model.loss(
          *rows,
          tf.reshape(seeds, [2, 2, 2])[i],
          base.Loss(),
          compile_parts=on,
        )
      gradients = tape.gradient(loss, model.trainable_variables)
      return context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)

    gradients = tf.function(
      lambda step=step: two_cpus.run(step), autograph=False
    )()
    gradients = [two_cpus.experimental_local_results(g)[0] for g in gradients]
    moving = [w.numpy() for w in model.weights if 'moving' in w.name]
    found.append([g.numpy() for g in gradients] + moving)
  recompute.set_recompute(model, False)
  norm = np.sqrt(sum((g**2).sum() for g in found[0]))
  for a, b in zip(*found, strict=True):
    # XLA's rounding lets a ReLU open or close, which changes it by a jump.
    allowed = 1e-4 * norm + 0.05 * np.linalg.norm(a)
    assert np.linalg.norm(a - b) <= allowed


def _train_values(compiled, on):
  """Loss, gradients and moving statistics of a step."""
  model = tiny.build(past_masks=2, **_DROPOUT)
  images, maps = tiny.batch(model.config)
  recompute.set_recompute(model, on)

  @tf.function(autograph=False, jit_compile=compiled)
  def run():
    with tf.GradientTape() as tape:
      loss, _ = model.loss(images, maps, _SEEDS, base.Loss())
    return loss, tape.gradient(loss, model.trainable_variables)

  loss, gradients = run()
  recompute.set_recompute(model, False)
  moving = [w.numpy() for w in model.weights if 'moving' in w.name]
  return loss.numpy(), [g.numpy() for g in gradients], moving


@pytest.fixture(scope='module')
def kept_values():
  """`_train_values` of a step that keeps everything."""
  return _train_values(False, False)


@pytest.mark.slow
def test_the_numbers_are_the_same(compiled, kept_values):
  loss, gradients, moving = kept_values
  other_loss, other_gradients, other_moving = _train_values(compiled, True)
  np.testing.assert_allclose(loss, other_loss, rtol=1e-5 if compiled else 1e-6)
  for a, b in zip(moving, other_moving, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
  # XLA's rounding lets a ReLU open or close, which changes gradients by jumps.
  slack, share = (1e-4, 0.05) if compiled else (1e-5, 0.0)
  norm = np.sqrt(sum((g**2).sum() for g in gradients))
  for a, b in zip(gradients, other_gradients, strict=True):
    allowed = slack * norm + share * np.linalg.norm(a)
    assert np.linalg.norm(a - b) <= allowed


@pytest.mark.parametrize(
  'changes', [{'conditioning': ('concat',)}, {'unconditional': True}]
)
def test_layers_without_a_memory_or_an_encoder(changes):
  model = tiny.build(**changes)
  images, maps = tiny.batch(model.config)
  norms = []
  for on in (False, True):
    recompute.set_recompute(model, on)
    with tf.GradientTape() as tape:
      loss, _ = model.loss(images, maps, _SEEDS, base.Loss())
    gradients = tape.gradient(loss, model.trainable_variables)
    norms.append(tf.linalg.global_norm(gradients))
  recompute.set_recompute(model, False)
  np.testing.assert_allclose(*norms, rtol=1e-5)


def test_bytes_kept_for_the_backward_pass_are_fewer():
  kept = []
  for on in (False, True):
    model = tiny.build(image_size=(64, 64), mask_size=(32, 32))
    images, maps = tiny.batch(model.config)
    recompute.set_recompute(model, on)

    @tf.function(autograph=False)
    def run(images, maps, model=model):
      with tf.GradientTape() as tape:
        loss, _ = model.loss(images, maps, _SEEDS, base.Loss())
      return tape.gradient(loss, model.trainable_variables)

    graph = run.get_concrete_function(images, maps).graph
    kept.append(graph_costs.peak_bytes(graph, lambda op: False))
  recompute.set_recompute(model, False)
  assert kept[1] < 0.7 * kept[0]
