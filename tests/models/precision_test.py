"""Tests of the precision of layers."""

import pytest
import tf_keras

from models import precision


def test_a_scope_ends_as_it_began():
  def policy():
    return tf_keras.mixed_precision.global_policy().name

  with precision.scope('bfloat16'):
    assert policy() == 'mixed_bfloat16'
    with precision.scope('float32'):
      assert policy() == 'float32'
    assert policy() == 'mixed_bfloat16'
  assert policy() == 'float32'
  with pytest.raises(OSError), precision.scope('bfloat16'):
    raise OSError
  assert policy() == 'float32'
