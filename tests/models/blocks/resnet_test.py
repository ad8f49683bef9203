import pytest
import tensorflow as tf

from configs import base
from models.blocks import resnet


@pytest.mark.parametrize('variant', resnet.VARIANTS)
@pytest.mark.parametrize('depth', [10, 18, 50])
def test_levels_are_those_of_the_network(depth, variant):
  config = base.ResNet(depth=depth, variant=variant, width_multiplier=0.125)
  levels = resnet.ResNet.levels(config)
  pyramid = resnet.ResNet(config)(tf.zeros([1, 64, 96, 3]))
  assert levels.channels == tuple(level.shape[-1] for level in pyramid)
  assert [list(level.shape[1:3]) for level in pyramid] == [
    [64 // stride, 96 // stride] for stride in levels.strides
  ]


def test_levels_of_the_paper():
  assert resnet.ResNet.levels(base.ResNet()) == resnet.Levels(
    channels=(256, 512, 1024), strides=(4, 8, 16)
  )
