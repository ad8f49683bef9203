import golden
import tensorflow as tf
import tiny

from models import checkpoints, published_names


def test_published_paths():
  examples = {
    'encoder/resnet/stem/kernel': (
      'encoder/resnet/initial_conv_relu_max_pool/0/conv2d/kernel'
    ),
    'encoder/transformer/1/attention/query/kernel': (
      'encoder/transformer_encoder/enc_layers/1/mha/_query_dense/kernel'
    ),
    'encoder_merge/blocks/1/conv1/bias': (
      'encoder_fuse/upsample_blocks/2/conv1/bias'
    ),
    'decoder/up_convs/0/kernel': 'denoiser/up_units/1/conv_up/kernel',
  }
  for ours, theirs in examples.items():
    assert published_names.from_path(ours, bottleneck=True) == theirs
  model = golden.build('image_c4')
  reader = tf.train.load_checkpoint(golden.checkpoint('image_c4'))
  stored = reader.get_variable_to_shape_map()
  names = checkpoints.named_weights(model)
  paths = published_names.from_paths(names)
  assert list(paths) == list(names)
  for name, path in paths.items():
    assert path == published_names.from_path(name, bottleneck=True)
    assert f'model/{path}/.ATTRIBUTES/VARIABLE_VALUE' in stored


def test_blocks_of_a_shallow_backbone():
  """A ResNet of depth 10 or 18 has two convolutions in a block."""
  paths = published_names.from_paths(checkpoints.named_weights(tiny.build()))
  block = 'encoder/resnet/block_groups/1/layers/0'
  for ours, theirs in (
    ('convs/1/kernel', 'conv2d_bn_layers/2/conv2d/kernel'),
    ('convs/1/gamma', 'conv2d_bn_layers/3/bn/gamma'),
    ('shortcut/kernel', 'shortcut_layers/0/conv2d/kernel'),
  ):
    assert paths[f'encoder/resnet/stages/1/0/{ours}'] == f'{block}/{theirs}'
