"""Names of the weights in the published checkpoints of Pix2Seq."""

import re
from collections.abc import Callable, Iterable

# Our paths to the published ones. All rules that match apply, in this order.
_RULES: list[tuple[str, str | Callable[[re.Match], str]]] = [
  # The image encoder.
  (r'^encoder/projection/', r'encoder/stem_projection/'),
  (r'^encoder/projection_ln/', r'encoder/stem_ln/'),
  (r'^encoder/transformer/', r'encoder/transformer_encoder/enc_layers/'),
  (r'(enc_layers/\d+)/ln/', r'\1/mha_ln/'),
  (r'(enc_layers/\d+)/attention/', r'\1/mha/'),
  (r'resnet/stem/kernel', r'resnet/initial_conv_relu_max_pool/0/conv2d/kernel'),
  (r'resnet/stem/', r'resnet/initial_conv_relu_max_pool/2/bn/'),
  (r'resnet/stages/(\d+)/(\d+)/', r'resnet/block_groups/\1/layers/\2/'),
  # The pyramid merge.
  (r'^encoder_merge/last/', r'encoder_fuse/upsample_blocks/0/'),
  (
    r'^encoder_merge/blocks/(\d+)/',
    lambda m: f'encoder_fuse/upsample_blocks/{int(m[1]) + 1}/',
  ),
  # The decoder.
  (r'^decoder/', r'denoiser/'),
  (r'^denoiser/time_embedding/', r'denoiser/time_emb/'),
  (r'^denoiser/gn_(in|out)/', r'denoiser/group_norm_\1/'),
  (r'^denoiser/down_blocks/(\d+)/', r'denoiser/dn_units/\1/resnet_blocks/'),
  (r'^denoiser/down_convs/(\d+)/', r'denoiser/dn_units/\1/conv_dn/'),
  (r'^denoiser/up_blocks/(\d+)/', r'denoiser/up_units/\1/resnet_blocks/'),
  (
    r'^denoiser/up_convs/(\d+)/',
    lambda m: f'denoiser/up_units/{int(m[1]) + 1}/conv_up/',
  ),
  (r'(resnet_blocks/\d+)/gn_(\d)/', r'\1/group_norm_\2/'),
  (r'(resnet_blocks/\d+)/modulation/', r'\1/emb_proj/'),
  (r'(resnet_blocks/\d+)/skip/', r'\1/shortcut_layer/'),
  (r'/middle/transformer/', r'/transformer/transformer_decoder/dec_layers/'),
  (r'/middle/gn_(in|out)/', r'/transformer/trans_conv_\1_norm/'),
  (r'/middle/conv_(in|out)/', r'/transformer/trans_conv_\1/'),
  (r'/middle/token/', r'/transformer/emb_proj/'),
  (r'(self|cross)_attention/', r'\1_mha/'),
  # All transformers.
  (
    r'_?mha/(query|key|value)/',
    lambda m: f'{m[0][: -len(m[1]) - 1]}_{m[1]}_dense/',
  ),
  (r'mha/output_dense/', r'mha/_output_dense/'),
  (r'/mlp/ln/', r'/mlp/layernorms/0/'),
  (r'/mlp/(dense\d)/', r'/mlp/mlp_layers/0/\1/'),
]


def from_paths(paths: Iterable[str]) -> dict[str, str]:
  """The published names of all weights of a model.

  Args:
    paths: Object paths, from `checkpoints.named_weights`.

  Returns:
    For every path the object path below `model/` in Pix2Seq's checkpoints.
  """
  paths = list(paths)
  # Blocks of three convolutions are bottlenecks.
  bottleneck = any('/convs/2/' in path for path in paths)
  return {path: from_path(path, bottleneck) for path in paths}


def from_path(path: str, bottleneck: bool) -> str:
  """The published name of a weight.

  Args:
    path: Its object path.
    bottleneck: Whether the backbone has bottleneck blocks.

  Returns:
    The object path below `model/` in Pix2Seq's checkpoints.
  """
  for pattern, replacement in _RULES:
    path = re.sub(pattern, replacement, path)
  # A block's convolutions and norms stand in one list, with other layers.
  match = re.search(r'/(convs/(\d+)|shortcut)/(\w+)$', path)
  if match is None:
    return path
  convs, stride, shortcut = (
    ('conv_relu_dropblock_layers', 3, 'projection_layers')
    if bottleneck
    else ('conv2d_bn_layers', 2, 'shortcut_layers')
  )
  parts, first = (
    (shortcut, 0) if match[2] is None else (convs, stride * int(match[2]))
  )
  layer = f'{first}/conv2d' if match[3] == 'kernel' else f'{first + 1}/bn'
  return f'{path[: match.start()]}/{parts}/{layer}/{match[3]}'
