import pytest
import tiny
from official.core import exp_factory

from configs import base, shapes  # noqa: F401  (registers the experiment)
from models import validation


def test_models_that_can_be():
  validation.check(base.Model())
  validation.check(tiny.config())
  validation.check(exp_factory.get_exp_config('shapes').model)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'conditioning': ()}, 'must name concat, attention or both'),
    ({'conditioning': ('film',)}, "'film'.* must name concat, attention"),
    ({'num_classes': 17}, 'num_classes is 17, but 4 bits code 1 to 16'),
    ({'max_instances': 17}, 'max_instances is 17, but 4 bits code 1 to 16'),
    ({'encoder__num_heads': 3}, "encoder's transformer has 16 channels"),
    ({'decoder__head_dim': 32}, "decoder's transformer has 16 channels"),
    ({'encoder__resnet__depth': 20}, 'unknown ResNet depth 20'),
    ({'encoder__resnet__variant': 'c5'}, "unknown ResNet variant 'c5'"),
    ({'parameterization': 'w'}, "unknown parameterization 'w'"),
    ({'image_size': (30, 32)}, 'multiples of 16'),
  ],
)
def test_models_that_cannot_be(changes, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    validation.check(tiny.config(**changes))
  assert '\n' not in str(error.value)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'image_size': (40, 32)}, r'image_size \(40, 32\) .* multiples of 16'),
    ({'image_size': (32,)}, r'image_size is \(32,\); it must be a list of 2'),
    ({'mask_size': (15, 16)}, r'mask_size \(15, 16\) .* multiples of 2'),
    ({'mask_size': (4, 4)}, r'mask_size \(4, 4\) does not fit'),
    ({'mask_size': (16, 32)}, r'mask_size \(16, 32\) does not fit'),
    ({'mask_size': (64, 64)}, r'mask_size \(64, 64\) does not fit'),
    ({'mask_size': (0, 0)}, 'mask_size is 0; it must be at least 1'),
  ],
)
def test_sizes_that_do_not_fit(changes, sentence):
  with pytest.raises(ValueError, match=sentence) as error:
    validation.check(tiny.config(**changes))
  assert '\n' not in str(error.value)
